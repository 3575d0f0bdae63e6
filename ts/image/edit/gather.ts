/** Collects the blobs of images by following their documents, without reading layers. */
import { createHash } from 'node:crypto'
import { CaissonError } from '../../errors.ts'
import type { Descriptor, ImageIndex } from '../../spec/index.ts'
import { parseConfig, parseIndex, parseManifest } from '../document.ts'
import { MAX_INDEX_DEPTH } from '../limits.ts'
import { isConfigType, isIndexType, isManifestType, MEDIA_TYPE } from '../media-type.ts'
import { platformRank, type Platform } from '../platform.ts'
import { readDocument } from '../source/read.ts'
import type { ImageSource } from '../source/source.ts'
import type { BlobOrigin } from '../target/target.ts'

/**
 * Adds an entry and everything it refers to to `blobs`, children first; or only its parts for one of `platforms`.
 * Returns the descriptor of the result; undefined if nothing matches.
 */
export function gather(
  blobs: Map<string, BlobOrigin>,
  source: ImageSource,
  entry: Descriptor,
  platforms?: readonly Platform[],
): Promise<Descriptor | undefined> {
  return new Walk(blobs, source, platforms).entry(entry, 0)
}

class Walk {
  readonly #blobs: Map<string, BlobOrigin>
  readonly #source: ImageSource
  readonly #platforms: readonly Platform[] | undefined

  constructor(
    blobs: Map<string, BlobOrigin>,
    source: ImageSource,
    platforms: readonly Platform[] | undefined,
  ) {
    this.#blobs = blobs
    this.#source = source
    this.#platforms = platforms
  }

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
      this.#take(config)
      for (const layer of layers) {
        const elsewhere = (layer.urls?.length ?? 0) > 0
        if (!elsewhere || (await this.#source.locate(layer.digest))) this.#take(layer)
      }
    }
    this.#take(descriptor)
    return descriptor
  }

  async #index(descriptor: Descriptor, index: ImageIndex, depth: number): Promise<Descriptor | undefined> {
    const kept: Descriptor[] = []
    for (const entry of index.manifests) {
      if (this.#wants(entry, index)) {
        const done = await this.entry(entry, depth + 1)
        if (done) kept.push(done)
      }
    }
    if (kept.length === index.manifests.length && kept.every((entry, at) => entry === index.manifests[at])) {
      this.#take(descriptor)
      return descriptor
    }
    if (kept.length === 0) return undefined
    // A part of an index is another index, with another digest.
    const bytes = Buffer.from(JSON.stringify({ ...index, manifests: kept }))
    const { data: _, ...rest } = descriptor
    const made = {
      ...rest,
      mediaType: descriptor.mediaType || MEDIA_TYPE.index,
      digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
      size: bytes.length,
    }
    this.#take({ ...made, data: bytes.toString('base64') })
    return made
  }

  /** Attestations are copied with the image that they refer to. */
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

  #take(descriptor: Descriptor): void {
    const { digest } = descriptor
    if (!this.#blobs.has(digest)) this.#blobs.set(digest, { source: this.#source, descriptor })
  }
}
