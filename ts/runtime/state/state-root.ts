/** The parent of state directories: shared by the library and the command, never by two users. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mayWrite } from '../rights.ts'
import { processRights } from '../../native/rights.ts'

/** `/run/caisson` as root, otherwise `$XDG_RUNTIME_DIR/caisson`, or `<tmp>/caisson-<uid>` if that is not set. */
export function defaultRoot(): string {
  const uid = process.geteuid?.() ?? 0
  const { XDG_RUNTIME_DIR: runtimeDirectory, USER: user } = process.env
  if (uid === 0) {
    if (!processRights().inUserNamespace) return '/run/caisson'
    // COMPAT(runc): root of a user namespace uses the directory of its user, unless $USER is root (in a container).
    if (!runtimeDirectory || user === 'root') {
      if (mayWrite('/run/caisson') || mayWrite('/run')) return '/run/caisson'
    }
  }
  return runtimeDirectory ? join(runtimeDirectory, 'caisson') : join(tmpdir(), `caisson-${uid}`)
}
