/** An OCI image layout on disk: `oci-layout`, `index.json`, `blobs/ALGORITHM/ENCODED`. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CaissonError } from '../errors.ts'
import { lockDirectory } from '../native/lock.ts'
import {
  callback,
  checkArgument,
  checkOptions,
  path as isPath,
  signal as isSignal,
  text as isText,
} from '../options.ts'
import type { Descriptor, ImageIndex } from '../spec/index.ts'
import { ANNOTATION } from '../spec/image/annotations.ts'
import { parseIndex } from './document.ts'
import { hostPath, makeDirectories } from './host-path.ts'
import { createFile, keepOwner, replaceFile } from './layout/file.ts'
import { collectGarbage, type Collected, type CollectGarbageOptions } from './layout/gc.ts'
import { MAX_DOCUMENT_BYTES } from './limits.ts'
import { MEDIA_TYPE } from './media-type.ts'
import { collectGarbageOptions } from './options/known.ts'
import { descriptor as isDescriptor } from './options/parts.ts'
import { checkTag } from './reference.ts'
import {
  blobName,
  formatIndex,
  INDEX_FILE,
  LAYOUT_FILE,
  LAYOUT_TEXT,
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
    const absolute = hostPath(path, 'layout')
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
    const absolute = hostPath(path, 'layout')
    await makeDirectories(join(absolute, 'blobs', 'sha256'))
    // Whoever comes second finds what the first one made; oci-layout is last, as it is what makes it a layout.
    await createFile(
      join(absolute, INDEX_FILE),
      formatIndex({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [] }),
    )
    await createFile(join(absolute, LAYOUT_FILE), LAYOUT_TEXT)
    return Layout.open(absolute)
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
    checkArgument('text', text, isText)
    checkArgument('mediaType', mediaType, isText)
    const bytes = Buffer.from(text)
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    const path = this.blobPath(digest)
    if (!(await exists(path))) {
      await replaceFile(path, bytes)
      await keepOwner(path, this.path)
    }
    return { mediaType, digest, size: bytes.length }
  }

  /** A name for a blob in the making, in the directory where it will stay. */
  temporaryBlobPath(): string {
    const directory = join(this.path, 'blobs', 'sha256')
    mkdirSync(directory, { recursive: true })
    return join(directory, `.caisson-${randomUUID()}`)
  }

  /** Gives a finished file its place under its digest. */
  async placeBlob(temporary: string, digest: string): Promise<void> {
    checkArgument('temporary', temporary, isPath)
    const path = this.blobPath(digest)
    try {
      await mkdir(join(path, '..'), { recursive: true })
      await rename(temporary, path)
      await keepOwner(path, this.path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  /** @internal Lists an image, under a name or without. */
  async add(descriptor: Descriptor, name: string | undefined): Promise<void> {
    if (name !== undefined) return this.tag(descriptor, name)
    await this.update((index) => {
      if (index.manifests.some(({ digest }) => digest === descriptor.digest)) return undefined
      return { ...index, manifests: [...index.manifests, descriptor] }
    })
  }

  /** @internal Unlists an image, by name or digest. False where there is none. */
  async forget(name: string): Promise<boolean> {
    let found = false
    await this.update((index) => {
      const manifests = index.manifests.filter(
        ({ annotations, digest }) => annotations?.[REF_NAME] !== name && digest !== name,
      )
      found = manifests.length < index.manifests.length
      return found ? { ...index, manifests } : undefined
    })
    return found
  }

  /**
   * Keeps garbage collection away while blobs are written that no index names yet. Hold it until the image is tagged.
   */
  async protect(signal?: AbortSignal): Promise<Disposable> {
    if (signal !== undefined) checkArgument('signal', signal, isSignal)
    return lockDirectory(join(this.path, 'blobs'), 'shared', signal)
  }

  /**
   * Changes the top index: locked against other writers, read again, replaced by a rename. `change` may be given an index
   * that others have changed since it was last seen.
   */
  async update(change: (index: ImageIndex) => ImageIndex | undefined): Promise<void> {
    checkArgument('change', change, callback)
    using _ = await lockDirectory(this.path, 'exclusive')
    const changed = change(await this.index())
    if (!changed) return
    const file = join(this.path, INDEX_FILE)
    const text = formatIndex(changed)
    await parseIndex(text, file) // what nobody could read again is not written
    await replaceFile(file, text)
    await keepOwner(file, this.path)
  }

  /** Gives `tag` to an image, taking it from any other. Throws `ERR_INVALID_OPTION`, `ERR_INVALID_IMAGE`. */
  async tag(descriptor: Descriptor, tag: string): Promise<void> {
    checkArgument('descriptor', descriptor, isDescriptor)
    checkArgument('tag', tag, isText)
    checkTag(tag)
    const entry = { ...descriptor, annotations: { ...descriptor.annotations, [REF_NAME]: tag } }
    await this.update((index) => {
      // An entry without a name said only that the image is there.
      const others = index.manifests.filter(
        ({ annotations, digest }) =>
          annotations?.[REF_NAME] !== tag &&
          !(digest === descriptor.digest && annotations?.[REF_NAME] === undefined),
      )
      return { ...index, manifests: [...others, entry] }
    })
  }

  /** Takes a tag away; the blobs stay until they are collected. Throws `ERR_IMAGE_NOT_FOUND`. */
  async untag(tag: string): Promise<void> {
    await this.update((index) => {
      const { manifests: all } = index
      const manifests = all.filter(
        ({ annotations }) => annotations?.[REF_NAME] === undefined || annotations[REF_NAME] !== tag,
      )
      if (manifests.length < index.manifests.length) return { ...index, manifests }
      throw new CaissonError('ERR_IMAGE_NOT_FOUND', `${this.path} has no image tagged ${tag}`, {
        path: this.path,
        phase: 'resolve',
      })
    })
  }

  /** The tags, in order. */
  async tags(): Promise<string[]> {
    const names = (await this.index()).manifests.map(({ annotations }) => annotations?.[REF_NAME])
    return [...new Set(names.filter((name) => name !== undefined))].sort()
  }

  /** Removes blobs that no index leads to. Waits until nobody writes any. */
  async collectGarbage(options: CollectGarbageOptions = {}): Promise<Collected> {
    checkOptions(options, collectGarbageOptions)
    return collectGarbage(this, options)
  }
}

async function readDocument(path: string): Promise<Buffer> {
  const status = await stat(path)
  if (!status.isFile()) throw new CaissonError('ERR_INVALID_IMAGE', `${path} is not a regular file`, { path })
  const { size } = status
  if (size > MAX_DOCUMENT_BYTES) {
    throw new CaissonError(
      'ERR_LIMIT_EXCEEDED',
      `${path} has ${size} bytes, more than ${MAX_DOCUMENT_BYTES}`,
      { path },
    )
  }
  return readFile(path)
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
