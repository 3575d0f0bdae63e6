// The tools of this check, from a lock file of their own.
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { root } from '../prepare.mjs'

const folder = join(root, '.cache', 'pack-check')
const lock = 'package-lock.json'

/** Path of a file of a package; the packages are installed when they are missing or others. */
export function tool(path) {
  return join(folder, 'node_modules', path)
}

export function installTools() {
  const from = join(root, 'scripts', 'pack-check')
  const wanted = readFileSync(join(from, lock), 'utf8')
  const installed = join(folder, 'installed.json')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return
  mkdirSync(folder, { recursive: true })
  for (const name of ['package.json', lock]) cpSync(join(from, name), join(folder, name))
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: 'inherit' })
  if (status !== 0) throw new Error(`npm ci ended with ${status} in ${folder}`)
  cpSync(join(from, lock), installed)
}
