/** What the loader refuses, and with which message. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { platformTriple } from '../../ts/native/addon.ts'
import { VERSION } from '../../ts/version.ts'
import { checkout } from '../fixtures/program.ts'
import { scratch } from '../fixtures/rootfs.ts'

/** A copy of the built package, in which `change` may be made to each file. */
function copy(change: (source: string) => string): string {
  const folder = scratch('addon')
  cpSync(join(checkout, 'dist/cjs'), join(folder, 'dist/cjs'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{}')
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.cjs')) continue
    const path = join(folder, name)
    writeFileSync(path, change(readFileSync(path, 'utf8')))
  }
  return folder
}

/** The error of the copy's first native call. */
function failure(folder: string, env: NodeJS.ProcessEnv = {}, before = ''): unknown {
  const source = `${before}
    const { Runtime } = require('./dist/cjs/index.cjs')
    try { new Runtime().features(); console.log('null') }
    catch ({ name, code, message, hint, path }) { console.log(JSON.stringify({ name, code, message, hint, path })) }`
  const { stdout, stderr } = spawnSync(process.execPath, ['--eval', source], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  if (stderr) throw new Error(stderr)
  return JSON.parse(stdout)
}

const native = join(checkout, 'npm', platformTriple())

test('an addon of another version is refused, and both are named', (t) => {
  const text = `"${VERSION}"`
  const folder = copy((source) => source.replace(`VERSION = ${text}`, 'VERSION = "9.8.7"'))
  const said = failure(folder, { CAISSON_NATIVE_DIR: native }) as Record<string, string>
  t.is(said['code'], 'ERR_BINDING_MISSING')
  t.regex(said['message']!, new RegExp(`version mismatch: caisson is 9\\.8\\.7, .* is ${VERSION}`))
  t.true(said['path']!.startsWith(native))
  t.is(
    failure(
      copy((source) => source),
      { CAISSON_NATIVE_DIR: native },
    ),
    null,
  )
})

test('without the platform package the error says where it was looked for', (t) => {
  const folder = copy((source) => source)
  const { name, code, hint } = failure(folder) as Record<string, string>
  t.deepEqual([name, code], ['CaissonError', 'ERR_BINDING_MISSING'])
  t.true(hint!.includes(join(folder, 'npm', platformTriple())))
})

test('a file that is not an addon is refused with its path', (t) => {
  const folder = copy((source) => source)
  const path = join(folder, 'native')
  mkdirSync(path)
  writeFileSync(join(path, `caisson.${platformTriple()}.node`), 'text')
  const said = failure(folder, { CAISSON_NATIVE_DIR: path }) as Record<string, string>
  t.deepEqual(
    [said['code'], said['path']],
    ['ERR_BINDING_MISSING', join(path, `caisson.${platformTriple()}.node`)],
  )
})

test('Bun is refused in a sentence', (t) => {
  const pretend = `Object.defineProperty(process.versions, 'bun', { value: '1.4.5' })`
  const { code, message } = failure(checkout, {}, pretend) as Record<string, string>
  t.is(code, 'ERR_PLATFORM')
  t.regex(message!, /^caisson does not run on Bun, /)
})
