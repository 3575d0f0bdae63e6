/**
 * zod is an implementation detail: not loaded with the package, not in its types, and not shared with the application.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { checkout } from '../fixtures/program.ts'

function run(script: string): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: checkout,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return stdout.trim()
}

/** zod leaves its configuration here when it is evaluated. */
const evaluated = 'globalThis.__zod_globalConfig !== undefined'

test('importing caisson evaluates no zod, importing caisson/spec does', (t) => {
  t.is(run(`await import('./dist/index.js'); console.log(${evaluated})`), 'false')
  t.is(run(`await import('./dist/digest.js'); console.log(${evaluated})`), 'false')
  t.is(run(`await import('./dist/spec.js'); console.log(${evaluated})`), 'true')
})

test('importing caisson/spec loads no native code', (t) => {
  const script = `await import('./dist/spec.js'); console.log(process.report.getReport().sharedObjects.some((name) => name.endsWith('.node')))`
  t.is(run(script), 'false')
})

test("zod's global configuration stays as the application set it, and does not change what is found", (t) => {
  const script = `
    import * as z from 'zod'
    z.config({ jitless: false, customError: () => 'mine' })
    const before = JSON.stringify(z.config(), (key, value) => (typeof value === 'function' ? String(value) : value))
    const { safeParseRuntimeSpec } = await import('./dist/spec.js')
    const { error } = safeParseRuntimeSpec('{"ociVersion":5,"root":{"path":"x"},"mounts":5}')
    const after = JSON.stringify(z.config(), (key, value) => (typeof value === 'function' ? String(value) : value))
    console.log(before === after, error.issues.map(({ message }) => message).join('; '), z.string().safeParse(5).error.issues[0].message)`
  t.is(run(script), 'true must be a text, not 5; must be a list, not 5 mine')
})

test('nothing is compiled from text: it works where that is forbidden', (t) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      '--disallow-code-generation-from-strings',
      '--input-type=module',
      '-e',
      `const { parseRuntimeSpec } = await import('./dist/spec.js')
       console.log(parseRuntimeSpec('{"ociVersion":"1.3.0","root":{"path":"r"},"linux":{"seccomp":{"defaultAction":"SCMP_ACT_LOG"}}}').ociVersion)`,
    ],
    { cwd: checkout, encoding: 'utf8' },
  )
  t.deepEqual([status, stdout.trim(), stderr], [0, '1.3.0', ''])
})

test('no public declaration names zod', (t) => {
  const declarations = readdirSync(join(checkout, 'dist')).filter((name) => /\.d\.c?ts$/.test(name))
  t.true(declarations.length >= 6)
  for (const name of declarations)
    t.notRegex(readFileSync(join(checkout, 'dist', name), 'utf8'), /['"]zod/, name)
})
