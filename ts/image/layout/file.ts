/** Files that appear whole or not at all. */
import { chown, stat } from 'node:fs/promises'
import type { CaissonError } from '../../errors.ts'
import { placeFile } from '../../native/archive.ts'

/** Old or new, never half. The umask takes from `mode`. */
export async function replaceFile(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await placeFile(path, Buffer.from(content), { mode, replace: true })
}

/** Leaves alone what is there already, also what somebody else just made. */
export async function createFile(path: string, content: string): Promise<void> {
  await placeFile(path, Buffer.from(content), { mode: 0o644, replace: false }).catch(
    (error: CaissonError) => {
      if (error.code !== 'ERR_EXISTS') throw error
    },
  )
}

/** What root writes into somebody's layout belongs to whom the layout belongs (as umoci keeps it). */
export async function keepOwner(path: string, layout: string): Promise<void> {
  if (process.geteuid?.() !== 0) return
  const { uid, gid } = await stat(layout)
  if (uid !== 0 || gid !== 0) await chown(path, uid, gid)
}
