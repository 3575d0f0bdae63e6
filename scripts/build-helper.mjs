// Builds caisson-init, the static helper: `node scripts/build-helper.mjs [release|debug]`. It has a target directory of
// its own, because the static C library is wanted here and must not be for the addon.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { root, triple } from './prepare.mjs'

const targets = { x64: 'x86_64-unknown-linux-gnu', arm64: 'aarch64-unknown-linux-gnu' }
const target = targets[process.arch]
const profile = process.argv[2] === 'debug' ? 'dev' : 'helper'
const flags = ['-C', 'target-feature=+crt-static', '-C', 'relocation-model=static']
const args = [
  'build',
  '-p',
  'caisson-init',
  '--profile',
  profile,
  '--target',
  target,
  '--target-dir',
  'target/helper',
]
args.push('--config', `target.${target}.rustflags=${JSON.stringify(flags)}`)
const { status } = spawnSync('cargo', args, { cwd: root, stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)

const folder = join(root, 'npm', triple, 'bin')
mkdirSync(folder, { recursive: true })
const built = join(root, 'target/helper', target, profile === 'dev' ? 'debug' : profile, 'caisson-init')
// By rename: a helper that is being executed cannot be written to.
copyFileSync(built, join(folder, '.caisson-init'))
renameSync(join(folder, '.caisson-init'), join(folder, 'caisson-init'))
