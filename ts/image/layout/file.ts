/** Files that appear whole or not at all. */
import { randomUUID } from 'node:crypto'
import { chown, link, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemError } from '../host-path.ts'

async function beside(
  path: string,
  content: string | Uint8Array,
  place: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = join(dirname(path), `.caisson-${randomUUID()}`)
  try {
    const file = await open(temporary, 'wx', 0o644)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await place(temporary)
  } catch (error) {
    throw systemError(error, 'write', path)
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Old or new, never half. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  await beside(path, content, (temporary) => rename(temporary, path))
}

/** Leaves alone what is there already, also what somebody else just made. */
export async function createFile(path: string, content: string): Promise<void> {
  await beside(path, content, async (temporary) => {
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  })
}

/** What root writes into somebody's layout belongs to whom the layout belongs (as umoci keeps it). */
export async function keepOwner(path: string, layout: string): Promise<void> {
  if (process.geteuid?.() !== 0) return
  const { uid, gid } = await stat(layout)
  if (uid !== 0 || gid !== 0) await chown(path, uid, gid)
}
