/** An OCI image layout on disk: `oci-layout`, `index.json`, `blobs/ALGORITHM/ENCODED`. */
import { createHash } from 'node:crypto'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { explainErrors } from '../boundary.ts'
import { CaissonError } from '../errors.ts'
import { OpenLayout } from '../native/layout.ts'
import { lockDirectory } from '../native/lock.ts'
import { callback, checkArgument, checkOptions, signal as isSignal, text as isText } from '../options.ts'
import type { Descriptor, ImageIndex } from '../spec/index.ts'
import { ANNOTATION } from '../spec/image/annotations.ts'
import { parseIndex } from './document.ts'
import { hostPath, makeDirectories } from './host-path.ts'
import { collectGarbage, type Collected, type CollectGarbageOptions } from './layout/gc.ts'
import { writeNewBlob } from './layout/new-blob.ts'
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
import { readSmallFile } from './source/small-file.ts'
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

  /** Throws `ERR_IMAGE_NOT_FOUND` for a missing layout, `ERR_INVALID_IMAGE` for one of another version. */
  static async open(path: string): Promise<Layout> {
    const absolute = hostPath(path, 'layout')
    const file = join(absolute, LAYOUT_FILE)
    const text = await readSmallFile(file).catch(async (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR') throw cause
      const status = await stat(absolute).catch(() => undefined)
      const message = !status
        ? 'does not exist'
        : status.isDirectory()
          ? 'is not an OCI layout: it has no oci-layout file'
          : 'is not a directory'
      throw new CaissonError('ERR_IMAGE_NOT_FOUND', `${absolute} ${message}`, {
        path: absolute,
        phase: 'resolve',
        cause,
      })
    })
    requireLayoutVersion(text.toString('utf8'), file)
    return new Layout(absolute)
  }

  /** Creates an empty layout, or opens an existing one. */
  static async create(path: string): Promise<Layout> {
    const absolute = hostPath(path, 'layout')
    await makeDirectories(absolute)
    using directory = await OpenLayout.open(absolute)
    await directory.prepare()
    // oci-layout comes last, as it makes the directory a layout. A second process finds what the first one has created.
    const index = formatIndex({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [] })
    await placeIfAbsent(directory, INDEX_FILE, index)
    await placeIfAbsent(directory, LAYOUT_FILE, LAYOUT_TEXT)
    return Layout.open(absolute)
  }

  /** The top index. Throws `ERR_INVALID_IMAGE`. */
  async index(): Promise<ImageIndex> {
    return this.#indexIn(this.path)
  }

  /** The path of a blob, which may not exist. Throws `ERR_INVALID_IMAGE` for an invalid digest. */
  blobPath(digest: string): string {
    return join(this.path, blobName(digest))
  }

  /** The location of a blob; undefined if the layout lacks it, which is allowed: another store may have it. */
  async locate(digest: string): Promise<FileRange | undefined> {
    const path = this.blobPath(digest)
    const status = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
    })
    if (!status) return undefined
    if (status.isFile()) return { path, offset: 0, size: status.size }
    throw new CaissonError('ERR_INVALID_IMAGE', `blob ${digest} at ${path} is not a regular file`, { path })
  }

  /** Whether a blob exists; its content is not verified. */
  async has(digest: string): Promise<boolean> {
    return (await this.locate(digest)) !== undefined
  }

  /** Does nothing: a layout has no resources. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  /** Stores a document under its digest and describes it. */
  async writeBlob(text: string, mediaType: string): Promise<Descriptor> {
    checkArgument('text', text, isText)
    checkArgument('mediaType', mediaType, isText)
    const bytes = Buffer.from(text)
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    if ((await this.locate(digest))?.size !== bytes.length) {
      await writeNewBlob(this, async (path) => {
        await writeFile(path, bytes)
        return { digest }
      })
    }
    return { mediaType, digest, size: bytes.length }
  }

  /** @internal Adds an image to the index, with or without a name. */
  async add(descriptor: Descriptor, name: string | undefined): Promise<void> {
    if (name !== undefined) return this.tag(descriptor, name)
    await this.update((index) => {
      if (index.manifests.some(({ digest }) => digest === descriptor.digest)) return undefined
      return { ...index, manifests: [...index.manifests, descriptor] }
    })
  }

  /** @internal Removes an image from the index, by name or digest. False if it is missing. */
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
   * Excludes garbage collection while blobs are written that no index refers to. Hold it until the image is tagged.
   */
  async protect(signal?: AbortSignal): Promise<Disposable> {
    if (signal !== undefined) checkArgument('signal', signal, isSignal)
    return lockDirectory(join(this.path, 'blobs'), 'shared', signal)
  }

  /**
   * Changes the top index: locks out other writers, reads it again, and replaces it by a rename. `change` may get an
   * index that others have changed since it was last read.
   */
  async update(change: (index: ImageIndex) => ImageIndex | undefined): Promise<void> {
    checkArgument('change', change, callback)
    using directory = await OpenLayout.open(this.path)
    using _ = await lockDirectory(directory.path, 'exclusive')
    const changed = change(await this.#indexIn(directory.path))
    if (!changed) return
    const text = formatIndex(changed)
    await parseIndex(text, join(this.path, INDEX_FILE)) // refuses an index that could not be read again
    await directory.place(INDEX_FILE, text, { replace: true })
  }

  /** Tags an image, removing the tag from any other. Throws `ERR_INVALID_OPTION`, `ERR_INVALID_IMAGE`. */
  async tag(descriptor: Descriptor, tag: string): Promise<void> {
    checkArgument('descriptor', descriptor, isDescriptor)
    checkArgument('tag', tag, isText)
    checkTag(tag)
    const entry = { ...descriptor, annotations: { ...descriptor.annotations, [REF_NAME]: tag } }
    await this.update((index) => {
      // An entry without a name only marked the image as present.
      const others = index.manifests.filter(
        ({ annotations, digest }) =>
          annotations?.[REF_NAME] !== tag &&
          !(digest === descriptor.digest && annotations?.[REF_NAME] === undefined),
      )
      return { ...index, manifests: [...others, entry] }
    })
  }

  /** Removes a tag; the blobs are kept until garbage collection. Throws `ERR_IMAGE_NOT_FOUND`. */
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

  /** The tags, sorted. */
  async tags(): Promise<string[]> {
    const names = (await this.index()).manifests.map(({ annotations }) => annotations?.[REF_NAME])
    return [...new Set(names.filter((name) => name !== undefined))].sort()
  }

  /** Removes blobs that no index refers to. Waits for writers to end. */
  async collectGarbage(options: CollectGarbageOptions = {}): Promise<Collected> {
    checkOptions(options, collectGarbageOptions)
    return collectGarbage(this, options)
  }

  async #indexIn(directory: string): Promise<ImageIndex> {
    const text = await readSmallFile(join(directory, INDEX_FILE)).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') throw cause
      const path = join(this.path, INDEX_FILE)
      throw new CaissonError('ERR_INVALID_IMAGE', `${this.path} has no index.json`, { path, cause })
    })
    return parseIndex(text, join(this.path, INDEX_FILE))
  }
}
explainErrors(Layout)

async function placeIfAbsent(directory: OpenLayout, name: string, content: string): Promise<void> {
  await directory.place(name, content, { replace: false }).catch((error: CaissonError) => {
    if (error.code !== 'ERR_EXISTS') throw error
  })
}
