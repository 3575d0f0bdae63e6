/** Importing the package loads no further modules of Node and no addon. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'
import { checkout } from '../fixtures/program.ts'

const entry = join(checkout, 'dist/digest.js')

/** The built files that belong to one, and all that they import from elsewhere. */
function closure(path: string, seen = new Set<string>(), outside = new Set<string>()): Set<string> {
  if (seen.has(path)) return outside
  seen.add(path)
  for (const [, target] of readFileSync(path, 'utf8').matchAll(
    /(?:from |import |require\()["']([^"']+)["']/g,
  )) {
    if (target!.startsWith('.')) closure(join(dirname(path), target!), seen, outside)
    else outside.add(target!)
  }
  return outside
}

test('the built package imports nothing', (t) => {
  for (const path of ['digest.js', 'cjs/digest.cjs', 'esm/digest.js'])
    t.deepEqual([...closure(join(checkout, 'dist', path))], [], path)
  for (const path of ['index.js', 'cjs/index.cjs', 'esm/index.js'])
    t.true(closure(join(checkout, 'dist', path)).has('node:path'), 'imports are seen where there are some')
})

test('crypto is loaded by the first hash, the addon by the first file', (t) => {
  const source = `
    const loaded = () => [
      process.moduleLoadList.includes('NativeModule internal/crypto/hash'),
      process.report.getReport().sharedObjects.some((path) => path.endsWith('.node')),
    ].join()
    const { digestFile, digestString, parseDigest } = await import(${JSON.stringify(entry)})
    parseDigest('sha256:' + '0'.repeat(64))
    console.log(loaded())
    digestString('x')
    console.log(loaded())
    await digestFile(${JSON.stringify(entry)})
    console.log(loaded())`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
    encoding: 'utf8',
  })
  t.deepEqual(stdout.trim().split('\n'), ['false,false', 'true,false', 'true,true'], stderr)
})
