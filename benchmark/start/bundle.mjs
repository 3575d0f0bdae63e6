// A bundle with runc's own default configuration, /bin/true as its program, and a busybox or host root file system.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export function have(program) {
  return spawnSync(program, ['--version']).error === undefined
}

/** Creates the bundle in a temporary folder that disappears with the process. */
export function defaultBundle(args = ['/bin/true']) {
  const bundle = mkdtempSync(join(tmpdir(), 'caisson-bench-'))
  process.on('exit', () => rmSync(bundle, { recursive: true, force: true }))
  chmodSync(bundle, 0o755)
  for (const folder of ['bin', 'proc', 'dev', 'sys', 'etc', 'tmp'])
    mkdirSync(join(bundle, 'rootfs', folder), { recursive: true })
  copyFileSync('/bin/busybox', join(bundle, 'rootfs/bin/busybox'))
  for (const applet of ['true', 'sh', 'sleep', 'cat'])
    symlinkSync('busybox', join(bundle, 'rootfs/bin', applet))
  const { status, stderr } = spawnSync('runc', ['spec'], { cwd: bundle, encoding: 'utf8' })
  if (status !== 0) throw new Error(`runc spec failed: ${stderr}`)
  const path = join(bundle, 'config.json')
  const config = JSON.parse(readFileSync(path, 'utf8'))
  config.process.terminal = false
  config.process.args = args
  writeFileSync(path, JSON.stringify(config))
  return bundle
}
