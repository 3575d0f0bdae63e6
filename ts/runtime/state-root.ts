/** Where state directories are: shared by the library and the command, never by two users. */
import { lstatSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { CaissonError, systemError } from '../errors.ts'
import { makeDirectoriesSync } from '../image/host-path.ts'

/** `/run/caisson` as root, `$XDG_RUNTIME_DIR/caisson` otherwise, `<tmp>/caisson-<uid>` where that is not set. */
export function defaultRoot(): string {
  const uid = process.geteuid?.() ?? 0
  if (uid === 0) return '/run/caisson'
  const runtimeDirectory = process.env.XDG_RUNTIME_DIR
  return runtimeDirectory ? join(runtimeDirectory, 'caisson') : join(tmpdir(), `caisson-${uid}`)
}

/** Makes the state root where it is missing and checks that it is nobody else's. */
export function prepareRoot(root: string): void {
  const path = resolve(root)
  const uid = process.geteuid?.() ?? 0
  try {
    makeDirectoriesSync(path, uid === 0 ? 0o711 : 0o700)
  } catch (cause) {
    const hint = 'name another directory with the option root'
    throw systemError(`cannot make the state root ${path}`, cause, { phase: 'prepare', path, hint })
  }
  const stat = lstatSync(path)
  // SECURITY: below /tmp another user may have been here first; a directory or a link of theirs must not hold our state.
  if (uid === 0 || stat.uid === uid) return
  throw new CaissonError('ERR_INVALID_OPTION', `the state root ${path} belongs to another user`, {
    phase: 'prepare',
    path,
    hint: 'name another directory with the option root, or set XDG_RUNTIME_DIR',
  })
}
