/** A private file without a name: it goes with the last descriptor, also when the process is killed. */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FileRange } from './source.ts'

/** open(2); Node does not name it. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY
/** What a file system says that has no such files. */
const LACKING = new Set(['EOPNOTSUPP', 'EISDIR', 'EINVAL'])

const forgotten = new FinalizationRegistry<number>(closeSync)

export class TemporaryFile {
  /** Of the file, to be closed by {@link close} alone. */
  readonly fd: number
  #closed = false

  private constructor(fd: number) {
    this.fd = fd
    forgotten.register(this, fd, this)
  }

  /** Below `TMPDIR`, or `/tmp`. */
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

  /** Leads to the file, in this process and as long as it is not closed. */
  get path(): string {
    return `/proc/self/fd/${this.fd}`
  }

  /** Adds bytes at the end; of use only where nothing else writes to the file meanwhile. */
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
