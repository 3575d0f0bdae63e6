/** A tar archive as a folder of files: an uncompressed one is read in place, a compressed one is decompressed once. */
import { stat } from 'node:fs/promises'
import { posix, resolve } from 'node:path'
import { CaissonError } from '../../errors.ts'
import { listArchive, unpackArchive, type ArchiveItem } from '../../native/archive.ts'
import type { LayerOperation } from '../../native/layer.ts'
import { MAX_ARCHIVE_ENTRIES } from '../limits.ts'
import { readRange } from './read.ts'
import type { FileRange } from './source.ts'
import { TemporaryFile } from './temporary-file.ts'

const MAX_LINKS = 40

export class Archive {
  /** Absolute path of the archive itself. */
  readonly path: string
  readonly #items: ReadonlyMap<string, ArchiveItem>
  readonly #unpacked: TemporaryFile | undefined

  private constructor(path: string, items: readonly ArchiveItem[], unpacked: TemporaryFile | undefined) {
    this.path = path
    this.#items = new Map(items.map((item) => [item.path, item])) // the last duplicate wins, as in unpacking
    this.#unpacked = unpacked
  }

  /** Throws `ERR_IMAGE_NOT_FOUND` for a missing file, `ERR_LAYER_INVALID` for a file that is not an archive. */
  static async open(path: string, operation: LayerOperation = {}): Promise<Archive> {
    const absolute = resolve(path)
    await requireFile(absolute)
    const most = operation.limits?.entries ?? MAX_ARCHIVE_ENTRIES
    const items = await listArchive(absolute, most, operation)
    if (items) return new Archive(absolute, items, undefined)
    const unpacked = await TemporaryFile.create()
    try {
      await unpackArchive(absolute, unpacked.path, operation)
      const inner = await listArchive(unpacked.path, most, operation)
      if (inner) return new Archive(absolute, inner, unpacked)
      throw new CaissonError('ERR_INVALID_IMAGE', `${absolute} is compressed twice`, { path: absolute })
    } catch (error) {
      unpacked.close()
      throw error
    }
  }

  /** The names of its files and links, in order. */
  names(): string[] {
    return [...this.#items.keys()]
  }

  /** The location of a file; links are followed inside the archive. Undefined for a missing file. */
  find(name: string): FileRange | undefined {
    let path = normal(name)
    for (let links = 0; links < MAX_LINKS && path !== undefined; links++) {
      const item = this.#items.get(path)
      if (!item) return undefined
      const { kind, offset, size, target } = item
      if (kind === 'file') return { path: this.#unpacked?.path ?? this.path, offset, size }
      path = normal(kind === 'hardlink' ? target : posix.join(posix.dirname(path), target))
    }
    return undefined
  }

  /** The content of a document, or undefined. */
  async read(name: string): Promise<string | undefined> {
    const range = this.find(name)
    if (!range) return undefined
    return (await readRange(range, `${name} in ${this.path}`)).toString('utf8')
  }

  close(): Promise<void> {
    this.#unpacked?.close()
    return Promise.resolve()
  }
}

/** A normalised path inside the archive, or undefined if it leads out of it. */
function normal(path: string): string | undefined {
  const clean = posix.normalize(path).replace(/^\.\//, '')
  return clean.startsWith('/') || clean === '..' || clean.startsWith('../') ? undefined : clean
}

/**
 * The size of a regular file. Throws `ERR_IMAGE_NOT_FOUND` for a missing file, `ERR_INVALID_IMAGE` for another type of
 * file.
 */
export async function requireFile(path: string): Promise<number> {
  const status = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR') throw cause
    throw new CaissonError('ERR_IMAGE_NOT_FOUND', `${path} does not exist`, { path, phase: 'resolve', cause })
  })
  if (status.isFile()) return status.size
  throw new CaissonError('ERR_INVALID_IMAGE', `${path} is not a regular file`, { path, phase: 'resolve' })
}
