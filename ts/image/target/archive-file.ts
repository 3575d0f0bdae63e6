/** An archive of blobs and documents that appears whole or not at all. */
import { randomUUID } from 'node:crypto'
import { link, lstat, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CaissonError } from '../../errors.ts'
import { writeArchive, type ArchiveMember } from '../../native/archive.ts'
import { blobName } from '../source/layout-files.ts'
import { locateBlob, readDocument } from '../source/read.ts'
import { totalOf, type BlobOrigin, type Copied, type CopyOperation, type ImageSet } from './target.ts'

export class ArchiveFile {
  /** Absolute. */
  readonly path: string
  readonly #overwrite: boolean

  private constructor(path: string, overwrite: boolean) {
    this.path = path
    this.#overwrite = overwrite
  }

  /** Throws `ERR_EXISTS` for what is there and may not be replaced, `ERR_NOT_FOUND` where there is no such directory. */
  static async at(path: string, overwrite: boolean): Promise<ArchiveFile> {
    const there = await lstat(path).catch(unlessAbsent)
    if (there && !(overwrite && there.isFile())) throw exists(path, there.isFile())
    const directory = dirname(path)
    if ((await stat(directory).catch(unlessAbsent))?.isDirectory()) return new ArchiveFile(path, overwrite)
    const message = `${path} cannot be written: there is no directory ${directory}`
    throw new CaissonError('ERR_NOT_FOUND', message, { path: directory, phase: 'validate' })
  }

  /** Writes the documents by their names, and all blobs. */
  async write(
    documents: Readonly<Record<string, string>>,
    { blobs }: Pick<ImageSet, 'blobs'>,
    { signal, onProgress }: CopyOperation,
  ): Promise<Copied> {
    const members: ArchiveMember[] = []
    for (const [path, text] of Object.entries(documents)) members.push({ path, content: Buffer.from(text) })
    for (const origin of blobs.values()) members.push(await memberOf(origin))
    const total = totalOf(blobs.values())
    const temporary = join(dirname(this.path), `.caisson-${randomUUID()}`)
    try {
      await writeArchive(members, temporary, {
        signal,
        onProgress:
          onProgress &&
          (({ read, entries }) => onProgress({ bytes: read, blobs: Math.min(entries, blobs.size), total })),
      })
      await this.#place(temporary)
    } finally {
      await rm(temporary, { force: true })
    }
    return { bytes: total, blobs: blobs.size }
  }

  async #place(temporary: string): Promise<void> {
    if (this.#overwrite) return rename(temporary, this.path)
    try {
      await link(temporary, this.path) // unlike a rename it never replaces what somebody else just made
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EEXIST') throw exists(this.path, true)
      if (code !== 'EPERM' && code !== 'EOPNOTSUPP') throw error
      await rename(temporary, this.path) // a file system without hard links
    }
  }
}

async function memberOf({ source, descriptor }: BlobOrigin): Promise<ArchiveMember> {
  const { digest, data } = descriptor
  const path = blobName(digest)
  if (data !== undefined) return { path, content: await readDocument(source, descriptor) }
  return { path, blob: { ...(await locateBlob(source, descriptor)), digest } }
}

function exists(path: string, isFile: boolean): CaissonError {
  const message = isFile ? `${path} exists already` : `${path} exists and is no regular file`
  const hint = isFile ? 'remove it, or have it replaced: --overwrite, in programs overwrite: true' : undefined
  return new CaissonError('ERR_EXISTS', message, { path, phase: 'validate', hint })
}

function unlessAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
}
