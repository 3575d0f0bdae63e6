/**
 * The directory that becomes a bundle or holds a root file system. SECURITY: other users may be able to rename it, and
 * to run programs in it. So it is opened once, and made inaccessible to them.
 */
import { constants } from 'node:fs'
import { open, readdir, rmdir, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CaissonError } from '../errors.ts'
import { makeDirectories } from './host-path.ts'

/** Permission bits of group and others. */
const OTHERS = 0o077

export class BundleDirectory implements AsyncDisposable {
  readonly #path: string
  readonly #handle: FileHandle
  /** The first directory that was created; undefined if all existed. */
  readonly #made: string | undefined
  /** Mode to restore after a failure. */
  readonly #mode: number
  readonly warnings: string[] = []

  private constructor(path: string, handle: FileHandle, made: string | undefined, mode: number) {
    this.#path = path
    this.#handle = handle
    this.#made = made
    this.#mode = mode
  }

  /** Creates the directory, or uses an empty one. Throws `ERR_EXISTS`, `ERR_UNSAFE_PATH`. */
  static async create(path: string): Promise<BundleDirectory> {
    const made = await makeDirectories(path, 0o700)
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      const { mode, uid } = await handle.stat()
      const directory = new BundleDirectory(path, handle, made, mode & 0o7777)
      await directory.#refuseContent()
      if ((mode & OTHERS) !== 0) await directory.#closeToOthers(uid)
      return directory
    } catch (error) {
      await handle.close()
      if (made !== undefined) await removeEmpty(path, made)
      throw error
    }
  }

  /** A path to the directory that survives renames, valid in this process while it is open. */
  get path(): string {
    return `/proc/self/fd/${this.#handle.fd}`
  }

  /** After a failure: removes what was created, and restores the mode. */
  async giveUp(): Promise<void> {
    if (this.#made === undefined) await this.#handle.chmod(this.#mode)
    else await removeEmpty(this.#path, this.#made)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }

  async #refuseContent(): Promise<void> {
    if ((await readdir(this.path)).length === 0) return
    throw new CaissonError('ERR_EXISTS', `${this.#path} exists and is not an empty directory`, {
      path: this.#path,
      phase: 'unpack',
      hint: 'remove it first, or unpack to another place',
    })
  }

  async #closeToOthers(uid: number): Promise<void> {
    if (uid !== process.geteuid?.()) {
      const message = `${this.#path} belongs to another user, who could run set-user-id programs of the image`
      throw new CaissonError('ERR_UNSAFE_PATH', message, {
        path: this.#path,
        phase: 'unpack',
        hint: 'remove it first: it is made with mode 0700',
      })
    }
    await this.#handle.chmod(this.#mode & ~OTHERS)
    this.warnings.push(`${this.#path} was open to other users and now has mode 0700`)
  }
}

/** Whether other users can reach the content of `directory`: all its parents and itself are searchable for them. */
export async function isReachable(directory: string): Promise<boolean> {
  for (let path = directory; ; path = dirname(path)) {
    if (((await stat(path)).mode & 0o001) === 0) return false
    if (path === dirname(path)) return true
  }
}

/** Removes `directory` and its parents up to `first`, as long as they are empty. */
async function removeEmpty(directory: string, first: string): Promise<void> {
  try {
    for (let path = directory; path.startsWith(first); path = dirname(path)) await rmdir(path)
  } catch {
    // not empty: another process put something there
  }
}
