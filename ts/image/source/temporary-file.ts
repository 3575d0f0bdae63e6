/** A private file without a name: it disappears with its last descriptor, even if the process is killed. */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FileRange } from './source.ts'

/** From open(2); Node does not export it. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY
/** Errors of file systems without such files. */
const LACKING = new Set(['EOPNOTSUPP', 'EISDIR', 'EINVAL'])

const forgotten = new FinalizationRegistry<number>(closeSync)

export class TemporaryFile {
  /** The descriptor, which only {@link close} may close. */
  readonly fd: number
  #closed = false

  private constructor(fd: number) {
    this.fd = fd
    forgotten.register(this, fd, this)
  }

  /** Created in `TMPDIR` or `/tmp`. */
  static async create(): Promise<TemporaryFile> {
    try {
      return new TemporaryFile(openSync(tmpdir(), constants.O_RDWR | O_TMPFILE, 0o600))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (!LACKING.has(code ?? '')) throw error
    }
    // It has a name for a moment.
    const directory = await mkdtemp(join(tmpdir(), 'caisson-')) // 0700
    try {
      return new TemporaryFile(openSync(join(directory, 'file'), 'wx+', 0o600))
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }

  /** A path to the file, valid in this process while it is open. */
  get path(): string {
    return `/proc/self/fd/${this.fd}`
  }

  /** Appends bytes; only valid if nothing else writes to the file meanwhile. */
  append(bytes: Uint8Array): FileRange {
    const range = { path: this.path, offset: fstatSync(this.fd).size, size: bytes.length }
    for (let done = 0; done < bytes.length;)
      done += writeSync(this.fd, bytes, done, bytes.length - done, range.offset + done)
    return range
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    forgotten.unregister(this)
    closeSync(this.fd)
  }
}
