/** An OCI image layout on disk: `oci-layout`, `index.json`, `blobs/ALGORITHM/ENCODED`. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { CaissonError } from '../errors.ts'
import type { Descriptor, ImageIndex } from '../spec/index.ts'
import { ANNOTATION } from '../spec/image/annotations.ts'
import { parseIndex } from './document.ts'
import { MAX_DOCUMENT_BYTES } from './limits.ts'
import { MEDIA_TYPE } from './media-type.ts'
import {
  blobName,
  INDEX_FILE,
  LAYOUT_FILE,
  LAYOUT_VERSION,
  requireLayoutVersion,
} from './source/layout-files.ts'
import type { FileRange, ImageSource } from './source/source.ts'

export const REF_NAME: typeof ANNOTATION.refName = ANNOTATION.refName

/**
 * A layout directory. Nothing is cached: other processes may add images at any time.
 *
 * @example
 * ```ts
 * const layout = await Layout.open('./images')
 * for (const { annotations } of (await layout.index()).manifests) console.log(annotations)
 * ```
 */
export class Layout implements ImageSource {
  readonly transport = 'oci'
  /** Absolute. */
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** Throws `ERR_IMAGE_NOT_FOUND` where there is no layout, `ERR_INVALID_IMAGE` for one of another version. */
  static async open(path: string): Promise<Layout> {
    const absolute = resolve(path)
    const file = join(absolute, LAYOUT_FILE)
    const text = await readDocument(file).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR') throw cause
      throw new CaissonError(
        'ERR_IMAGE_NOT_FOUND',
        `${absolute} is not an OCI layout: it has no oci-layout file`,
        {
          path: absolute,
          phase: 'resolve',
          cause,
        },
      )
    })
    requireLayoutVersion(text.toString('utf8'), file)
    return new Layout(absolute)
  }

  /** Makes an empty layout, or opens the one that is there. */
  static async create(path: string): Promise<Layout> {
    const absolute = resolve(path)
    await mkdir(join(absolute, 'blobs', 'sha256'), { recursive: true })
    const layout = new Layout(absolute)
    if (!(await exists(join(absolute, INDEX_FILE)))) {
      await layout.replaceIndex({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [] })
    }
    if (await exists(join(absolute, LAYOUT_FILE))) return Layout.open(absolute)
    // Last, as it is what makes the directory a layout.
    await replaceFile(
      join(absolute, LAYOUT_FILE),
      `${JSON.stringify({ imageLayoutVersion: LAYOUT_VERSION })}\n`,
    )
    return layout
  }

  /** The top index. Throws `ERR_INVALID_IMAGE`. */
  async index(): Promise<ImageIndex> {
    const file = join(this.path, INDEX_FILE)
    const text = await readDocument(file).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') throw cause
      throw new CaissonError('ERR_INVALID_IMAGE', `${this.path} has no index.json`, { path: file, cause })
    })
    return parseIndex(text, file)
  }

  /** Where a blob is, whether there or not. Throws `ERR_INVALID_IMAGE` for what is no digest. */
  blobPath(digest: string): string {
    return join(this.path, blobName(digest))
  }

  /** Where a blob is, or undefined where the layout lacks it, which is allowed: another store may have it. */
  async locate(digest: string): Promise<FileRange | undefined> {
    const path = this.blobPath(digest)
    const status = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
    })
    if (!status) return undefined
    if (status.isFile()) return { path, offset: 0, size: status.size }
    throw new CaissonError('ERR_INVALID_IMAGE', `blob ${digest} at ${path} is not a regular file`, { path })
  }

  /** Whether a blob is there; what is in it, only reading tells. */
  async has(digest: string): Promise<boolean> {
    return (await this.locate(digest)) !== undefined
  }

  /** A layout holds nothing open. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  /** Stores a document under its digest and describes it. */
  async writeBlob(text: string, mediaType: string): Promise<Descriptor> {
    const bytes = Buffer.from(text)
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    const path = this.blobPath(digest)
    if (!(await exists(path))) await replaceFile(path, bytes)
    return { mediaType, digest, size: bytes.length }
  }

  /** A name for a blob in the making, in the directory where it will stay. */
  temporaryBlobPath(): string {
    const directory = join(this.path, 'blobs', 'sha256')
    mkdirSync(directory, { recursive: true })
    return join(directory, `.caisson-${randomUUID()}`)
  }

  /** Gives `tag` to an image, taking it from any other. */
  async tag(descriptor: Descriptor, tag: string): Promise<void> {
    const index = await this.index()
    const others = index.manifests.filter(({ annotations }) => annotations?.[REF_NAME] !== tag)
    const entry = { ...descriptor, annotations: { ...descriptor.annotations, [REF_NAME]: tag } }
    await this.replaceIndex({ ...index, manifests: [...others, entry] })
  }

  /** @internal Lists an image, under a name or without. */
  async add(descriptor: Descriptor, name: string | undefined): Promise<void> {
    if (name !== undefined) return this.tag(descriptor, name)
    const index = await this.index()
    if (index.manifests.some(({ digest }) => digest === descriptor.digest)) return
    await this.replaceIndex({ ...index, manifests: [...index.manifests, descriptor] })
  }

  /** @internal Unlists an image, by name or digest. False where there is none. */
  async forget(name: string): Promise<boolean> {
    const index = await this.index()
    const left = index.manifests.filter(
      ({ annotations, digest }) => annotations?.[REF_NAME] !== name && digest !== name,
    )
    if (left.length === index.manifests.length) return false
    await this.replaceIndex({ ...index, manifests: left })
    return true
  }

  private async replaceIndex(index: ImageIndex): Promise<void> {
    await replaceFile(join(this.path, INDEX_FILE), `${JSON.stringify(index, null, 2)}\n`)
  }
}

async function readDocument(path: string): Promise<Buffer> {
  const { size } = await stat(path)
  if (size > MAX_DOCUMENT_BYTES) {
    throw new CaissonError(
      'ERR_LIMIT_EXCEEDED',
      `${path} has ${size} bytes, more than ${MAX_DOCUMENT_BYTES}`,
      { path },
    )
  }
  return readFile(path)
}

/** Old or new, never half: written beside and renamed. */
async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.caisson-${randomUUID()}`)
  try {
    await writeFile(temporary, content, { flag: 'wx', flush: true } as { flag: string })
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
