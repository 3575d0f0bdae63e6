// Runs as a user's program in the folder that pack-check.mjs made: only the installed package is reachable.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Image, Runtime } from 'caisson'
import { digestString, isDigest } from 'caisson/digest'
import { parseRuntimeSpec } from 'caisson/spec'

assert.equal(typeof parseRuntimeSpec, 'function')
assert.ok(isDigest(digestString('packed')))
const folder = mkdtempSync(join(tmpdir(), 'caisson-user-'))
try {
  const layout = join(folder, 'layout')
  await Image.fromHost({ layout, tag: 'host', programs: ['sh', 'echo'] })
  const { stdout, exitCode } = await new Runtime({ store: join(folder, 'store') }).run(`oci:${layout}:host`, [
    'sh',
    '-c',
    'echo packed; exit 0',
  ])
  assert.equal(stdout.trim(), 'packed')
  assert.equal(exitCode, 0)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
