/** Images from any source into a layout. */
import { CaissonError } from '../../errors.ts'
import type { Descriptor, ImageIndex } from '../../spec/index.ts'
import { checkTag } from '../build/draft.ts'
import { parseConfig, parseIndex, parseManifest } from '../document.ts'
import { copyBlob } from '../layout/copy-blob.ts'
import { Layout, REF_NAME } from '../layout.ts'
import { MAX_INDEX_DEPTH } from '../limits.ts'
import { isConfigType, isIndexType, isManifestType, MEDIA_TYPE } from '../media-type.ts'
import { formatPlatform, parsePlatform, platformRank, type Platform } from '../platform.ts'
import { parseReference, type ImageReference } from '../reference.ts'
import { entriesNamed } from '../select.ts'
import { openSource } from '../source/open.ts'
import { readDocument } from '../source/read.ts'
import type { ImageSource } from '../source/source.ts'

export interface CopyOptions {
  /** Layout directory, made if missing. */
  layout: string | Layout
  /** Name in the layout; default: the tag of the reference. */
  tag?: string | undefined
  /** Only what runs on these, out of an index. Default: everything, byte by byte. */
  platforms?: readonly (Platform | string)[] | undefined
  signal?: AbortSignal | undefined
  /** Called with every piece: bytes of blobs copied so far, and blobs. */
  onProgress?: ((progress: CopyProgress) => void) | undefined
}

export interface CopyProgress {
  bytes: number
  blobs: number
}

export interface CopyResult {
  descriptor: Descriptor
  /** What was copied; what the layout had already is not counted. */
  bytes: number
  blobs: number
}

/**
 * Copies what `reference` names: an image, or an index with all its images. Digests stay, unless `platforms` chooses from
 * an index. Blobs that the source lacks are an error, except layers that say where else they are (`urls`).
 */
export async function copyImage(reference: string, options: CopyOptions): Promise<CopyResult> {
  const { signal } = options
  const parsed = parseReference(reference)
  const tag = options.tag ?? parsed.tag
  checkTag(tag)
  const platforms = options.platforms?.map(wanted)
  const source = await openSource(parsed)
  try {
    const entry = await chooseEntry(source, parsed, reference)
    const layout = typeof options.layout === 'string' ? await Layout.create(options.layout) : options.layout
    using _ = await layout.protect(signal)
    const copy = new Copy(source, layout, platforms, options)
    const descriptor = await copy.entry(entry, 0)
    if (!descriptor) {
      const list = platforms!.map(formatPlatform).join(', ')
      throw new CaissonError('ERR_IMAGE_NOT_FOUND', `${reference} has no image for ${list}`, {
        phase: 'resolve',
      })
    }
    const { [REF_NAME]: __, ...annotations } = descriptor.annotations ?? {}
    const { annotations: ___, ...plain } = descriptor
    const described = Object.keys(annotations).length > 0 ? { ...plain, annotations } : plain
    await layout.add(described, tag) // listed without a name too, so that garbage collection keeps it
    return { descriptor: described, bytes: copy.bytes, blobs: copy.blobs }
  } finally {
    await source.close()
  }
}

function wanted(platform: Platform | string): Platform {
  const parsed = typeof platform === 'string' ? parsePlatform(platform) : platform
  if (parsed) return parsed
  throw new CaissonError(
    'ERR_INVALID_OPTION',
    `platform ${JSON.stringify(platform)} is not os/architecture[/variant]`,
    {
      phase: 'validate',
    },
  )
}

/** What the name means, as it stands in the index: nothing is chosen by platform here. */
async function chooseEntry(
  source: ImageSource,
  wanted: ImageReference,
  reference: string,
): Promise<Descriptor> {
  const found = entriesNamed((await source.index()).manifests, wanted)
  if (found.length === 1 || (found.length > 1 && found.every((entry) => entry.digest === found[0]!.digest)))
    return found[0]!
  const why =
    found.length === 0 ? 'does not exist' : `is one of ${found.length} images: say which by its digest`
  throw new CaissonError('ERR_IMAGE_NOT_FOUND', `${reference} ${why}`, {
    path: source.path,
    phase: 'resolve',
  })
}

class Copy {
  bytes = 0
  blobs = 0
  readonly #source: ImageSource
  readonly #layout: Layout
  readonly #platforms: readonly Platform[] | undefined
  readonly #options: CopyOptions

  constructor(
    source: ImageSource,
    layout: Layout,
    platforms: readonly Platform[] | undefined,
    options: CopyOptions,
  ) {
    this.#source = source
    this.#layout = layout
    this.#platforms = platforms
    this.#options = options
  }

  /** Children first, so that what is there is complete. Undefined where nothing of it is wanted. */
  async entry(descriptor: Descriptor, depth: number): Promise<Descriptor | undefined> {
    const { digest, mediaType } = descriptor
    if (depth > MAX_INDEX_DEPTH) {
      throw new CaissonError('ERR_LIMIT_EXCEEDED', `${this.#source.path}: its indexes are nested too deep`)
    }
    if (isIndexType(mediaType)) {
      const text = await readDocument(this.#source, descriptor)
      return this.#index(descriptor, await parseIndex(text, `index ${digest}`, mediaType), depth)
    }
    if (isManifestType(mediaType)) {
      const text = await readDocument(this.#source, descriptor)
      const { config, layers } = await parseManifest(text, `manifest ${digest}`, mediaType)
      if (depth === 0 && this.#platforms && !(await this.#fits(descriptor, config))) return undefined
      await this.#blob(config)
      for (const layer of layers) await this.#layer(layer)
    }
    await this.#blob(descriptor)
    return descriptor
  }

  async #index(descriptor: Descriptor, index: ImageIndex, depth: number): Promise<Descriptor | undefined> {
    const copied: Descriptor[] = []
    for (const entry of index.manifests) {
      if (this.#wants(entry, index)) {
        const done = await this.entry(entry, depth + 1)
        if (done) copied.push(done)
      }
    }
    if (
      copied.length === index.manifests.length &&
      copied.every((entry, at) => entry === index.manifests[at])
    ) {
      await this.#blob(descriptor)
      return descriptor
    }
    if (copied.length === 0) return undefined
    // A part of an index is another index, with another digest.
    const text = JSON.stringify({ ...index, manifests: copied })
    const written = await this.#layout.writeBlob(text, descriptor.mediaType || MEDIA_TYPE.index)
    return { ...descriptor, ...written }
  }

  /** Attestations go with the image that they speak of. */
  #wants(entry: Descriptor, { manifests }: ImageIndex): boolean {
    if (!this.#platforms || isIndexType(entry.mediaType)) return true
    const of = entry.annotations?.['vnd.docker.reference.digest']
    const subject = of === undefined ? entry : manifests.find(({ digest }) => digest === of)
    const platform = subject?.platform
    return platform !== undefined && this.#platforms.some((wanted) => platformRank(platform, wanted) > 0)
  }

  async #fits(descriptor: Descriptor, config: Descriptor): Promise<boolean> {
    let platform: Platform | undefined = descriptor.platform
    if (!platform && isConfigType(config.mediaType)) {
      platform = await parseConfig(await readDocument(this.#source, config), `configuration ${config.digest}`)
    }
    return platform !== undefined && this.#platforms!.some((wanted) => platformRank(platform, wanted) > 0)
  }

  async #layer(layer: Descriptor): Promise<void> {
    const elsewhere = (layer.urls?.length ?? 0) > 0
    if (elsewhere && (await this.#source.locate(layer.digest)) === undefined) return
    await this.#blob(layer)
  }

  async #blob(descriptor: Descriptor): Promise<void> {
    const { signal, onProgress } = this.#options
    const onBytes = (count: number): void => {
      this.bytes += count
      onProgress?.({ bytes: this.bytes, blobs: this.blobs })
    }
    if (await copyBlob(this.#source, descriptor, this.#layout, { signal, onBytes })) this.blobs += 1
  }
}
