/** Writing a file at a path that the caller named, in a directory that others may write to. */
import { randomBytes } from 'node:crypto'
import { closeSync, constants, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'

/**
 * By rename: a reader sees all of the file or none of it.
 *
 * SECURITY: the new file has a name that no other user can guess and is created, never opened, so a link that was
 * planted is not followed; rename replaces a link instead of following it. Both names are in the directory that was
 * opened once.
 */
export function replaceFile(path: string, content: string, mode: number): void {
  const { O_RDONLY, O_DIRECTORY } = constants
  const directory = openSync(dirname(path), O_RDONLY | O_DIRECTORY)
  try {
    const within = `/proc/self/fd/${directory}`
    const fresh = `${within}/.${randomBytes(8).toString('hex')}`
    try {
      writeFileSync(fresh, content, { flag: 'wx', mode }) // O_CREAT | O_EXCL: no link in the last component is followed
      renameSync(fresh, `${within}/${basename(path)}`)
    } catch (error) {
      rmSync(fresh, { force: true })
      throw error
    }
  } finally {
    closeSync(directory)
  }
}
