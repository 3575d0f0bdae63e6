/** Files of the host that not every user may read, inside of directories that are shown to a container. */
import { lstatSync, readdirSync, type Dirent } from 'node:fs'
import { join } from 'node:path'

const READABLE_BY_ALL = 0o004
/** A directory tree with more entries is not what these are for. */
const MAX_ENTRIES = 10_000

/** Whether every user of the host may list a directory or read a file. */
export function isPublic(path: string): boolean {
  const status = lstatSync(path, { throwIfNoEntry: false })
  return status !== undefined && (status.mode & READABLE_BY_ALL) !== 0
}

/**
 * Paths below `directory` that are closed to some users; a directory covers what is in it. Links are judged by
 * what they lead to, where that is shown. Undefined: there are too many entries to judge each.
 */
export function privateEntries(directory: string): string[] | undefined {
  const closed: string[] = []
  const open = [directory]
  let count = 0
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const entries = list(folder)
    count += entries.length
    if (count > MAX_ENTRIES) return undefined
    for (const entry of entries) {
      if (entry.isSymbolicLink()) continue
      const path = join(folder, entry.name)
      if (!isPublic(path)) closed.push(path)
      else if (entry.isDirectory()) open.push(path)
    }
  }
  return closed
}

/** One that went meanwhile is empty. */
function list(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}
