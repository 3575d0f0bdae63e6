// Runs as a user's program in the folder that pack-check.mjs made: only the installed package is reachable.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Image, run } from 'caisson'
import { digestBytes } from 'caisson/digest'
import { parseRuntimeSpec } from 'caisson/spec'

assert.equal(
  digestBytes(new TextEncoder().encode('')),
  'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
)
assert.equal(typeof parseRuntimeSpec, 'function')
const folder = mkdtempSync(join(tmpdir(), 'caisson-user-'))
try {
  const layout = join(folder, 'layout')
  await Image.fromHost({ layout, tag: 'host', programs: ['sh', 'echo'] })
  const { stdout, exitCode } = await run(`oci:${layout}:host`, ['sh', '-c', 'echo packed; exit 0'])
  assert.equal(stdout.trim(), 'packed')
  assert.equal(exitCode, 0)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
