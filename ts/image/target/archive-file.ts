/** A new archive of blobs and documents, written atomically. */
import { lstat, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
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

  /** Throws `ERR_EXISTS` for a file that may not be replaced, `ERR_NOT_FOUND` for a missing directory. */
  static async at(path: string, overwrite: boolean): Promise<ArchiveFile> {
    const there = await lstat(path).catch(unlessAbsent)
    if (there && !(overwrite && there.isFile())) throw exists(path, there.isFile())
    const directory = dirname(path)
    if ((await stat(directory).catch(unlessAbsent))?.isDirectory()) return new ArchiveFile(path, overwrite)
    const message = `cannot write ${path}: directory ${directory} does not exist`
    throw new CaissonError('ERR_NOT_FOUND', message, { path: directory, phase: 'validate' })
  }

  /** Writes the documents by name, and all blobs. */
  async write(
    documents: Readonly<Record<string, string>>,
    { blobs }: Pick<ImageSet, 'blobs'>,
    { signal, onProgress }: CopyOperation,
  ): Promise<Copied> {
    const members: ArchiveMember[] = []
    for (const [path, text] of Object.entries(documents)) members.push({ path, content: Buffer.from(text) })
    for (const origin of blobs.values()) members.push(await memberOf(origin))
    const total = totalOf(blobs.values())
    const written = writeArchive(members, this.path, this.#overwrite, {
      signal,
      onProgress:
        onProgress &&
        (({ read, entries }) => onProgress({ bytes: read, blobs: Math.min(entries, blobs.size), total })),
    })
    await written.catch((error: unknown) => {
      throw (error as CaissonError).code === 'ERR_EXISTS' ? exists(this.path, true) : error // another process just made it
    })
    return { bytes: total, blobs: blobs.size }
  }
}

async function memberOf({ source, descriptor }: BlobOrigin): Promise<ArchiveMember> {
  const { digest, data } = descriptor
  const path = blobName(digest)
  if (data !== undefined) return { path, content: await readDocument(source, descriptor) }
  return { path, blob: { ...(await locateBlob(source, descriptor)), digest } }
}

function exists(path: string, isFile: boolean): CaissonError {
  const message = isFile ? `${path} exists already` : `${path} exists and is not a regular file`
  const hint = isFile ? 'remove it, or have it replaced: --overwrite, in programs overwrite: true' : undefined
  return new CaissonError('ERR_EXISTS', message, { path, phase: 'validate', hint })
}

function unlessAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
}
