// Where tests run as root: another user to run them as, with directories of its own.
import { spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './prepare.mjs'

/** "nobody": no subordinate ids, no home. */
const ID = 65534

/** `user` has options of child_process.spawn, `end` removes the directories; without either the tests have run so. */
export function ordinaryUser() {
  if (process.geteuid() !== 0) return {}
  const ids = { uid: ID, gid: ID }
  if (spawnSync('test', ['-r', `${root}/package.json`], ids).status !== 0)
    return { reason: 'the checkout cannot be read by an ordinary user' }
  const home = mkdtempSync(join(tmpdir(), 'caisson-user-'))
  const run = join(home, 'run')
  mkdirSync(run, { mode: 0o700 })
  for (const path of [home, run]) chownSync(path, ID, ID)
  const env = { ...process.env, HOME: home, TMPDIR: home, XDG_RUNTIME_DIR: run }
  return { user: { ...ids, env }, end: () => rmSync(home, { recursive: true, force: true }) }
}
