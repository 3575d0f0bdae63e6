/** One image: a manifest, its configuration and its layers. */
import type { Readable } from 'node:stream'
import { CaissonError } from '../errors.ts'
import type { LayerBlob } from '../native/layer.ts'
import type { Descriptor, ImageConfig, ImageManifest } from '../spec/index.ts'
import { parseConfig, parseManifest } from './document.ts'
import { writeHostImage, type FromHostOptions } from './from-host.ts'
import { isConfigType, layerCompression } from './media-type.ts'
import { formatPlatform, parsePlatform, platformRank, type Platform } from './platform.ts'
import { thisMachine } from './processor.ts'
import { parseReference } from './reference.ts'
import { selectManifest } from './select.ts'
import { openSource } from './source/open.ts'
import { locateBlob, readBlob, readDocument } from './source/read.ts'
import type { ImageSource } from './source/source.ts'
import {
  unpackBundle,
  unpackRootfs,
  type UnpackBundleOptions,
  type UnpackOptions,
  type UnpackResult,
} from './unpack.ts'

export interface OpenImageOptions {
  /** `'linux/arm64/v8'` or its parts. Default: this machine. */
  platform?: Platform | string | undefined
  /** Ends the reading of an archive that must be unpacked or hashed first. */
  signal?: AbortSignal | undefined
}

/**
 * An image, opened and its documents verified. Layers are verified when they are unpacked.
 *
 * @example
 * ```ts
 * const image = await Image.open('oci:./images:busybox')
 * await image.unpack('./bundle', { args: ['sh', '-c', 'id'] })
 * ```
 */
export class Image {
  /** Where it is read from. */
  readonly source: ImageSource
  readonly descriptor: Readonly<Descriptor>
  readonly manifest: Readonly<ImageManifest>
  /** Undefined for artifacts, whose configuration is something else. */
  readonly config: Readonly<ImageConfig> | undefined

  private constructor(
    source: ImageSource,
    descriptor: Descriptor,
    manifest: ImageManifest,
    config: ImageConfig | undefined,
  ) {
    this.source = source
    this.descriptor = descriptor
    this.manifest = manifest
    this.config = config
  }

  /**
   * Opens `oci:DIRECTORY[:TAG|@DIGEST]`, `oci-archive:FILE[:TAG|@DIGEST]`, `docker-archive:FILE[:NAME[:TAG]|@DIGEST]` or
   * `tar:FILE`, a root file system. Archives may be compressed with gzip or zstd; then a private copy is kept until the
   * image is closed. Throws `ERR_INVALID_OPTION`, `ERR_IMAGE_NOT_FOUND`, `ERR_BLOB_NOT_FOUND`, `ERR_INVALID_IMAGE`,
   * `ERR_SIZE_MISMATCH`, `ERR_DIGEST_MISMATCH` and, for damaged archives, `ERR_LAYER_INVALID`.
   */
  static async open(reference: string, options: OpenImageOptions = {}): Promise<Image> {
    const parsed = parseReference(reference)
    const platform = wantedPlatform(options.platform)
    const source = await openSource(parsed, options.signal)
    try {
      const { tag, name, digest } = parsed
      const image = await Image.from(source, await selectManifest(source, { tag, name, digest, platform }))
      const { config, descriptor } = image
      // An index that says nothing about platforms: the configuration does.
      if (config && !descriptor.platform && digest === undefined && platformRank(config, platform) === 0) {
        throw new CaissonError(
          'ERR_IMAGE_NOT_FOUND',
          `${reference} is an image for ${formatPlatform(config)}, not for ${formatPlatform(platform)}`,
          { path: source.path, phase: 'resolve', hint: 'choose it with the option platform' },
        )
      }
      return image
    } catch (error) {
      await source.close()
      throw error
    }
  }

  /** Packs programs of this host, with the libraries they need, into a layout, and opens the result. */
  static async fromHost(options: FromHostOptions): Promise<Image> {
    const { layout, manifest } = await writeHostImage(options)
    return Image.from(layout, manifest)
  }

  /** The image that `descriptor` names in `source`, which from then on belongs to the image. */
  static async from(source: ImageSource, descriptor: Descriptor): Promise<Image> {
    const bytes = await readDocument(source, descriptor)
    const manifest = await parseManifest(bytes, `manifest ${descriptor.digest}`, descriptor.mediaType)
    const config = isConfigType(manifest.config.mediaType)
      ? await parseConfig(
          await readDocument(source, manifest.config),
          `configuration ${manifest.config.digest}`,
        )
      : undefined
    return new Image(source, descriptor, manifest, config)
  }

  /** Digest of the manifest. */
  get digest(): string {
    return this.descriptor.digest
  }

  /**
   * Makes a bundle: `rootfs` from the layers, `config.json` from the image configuration and the options. The directory
   * must not exist or be empty; after a failure it is as before. Every blob and diffID is verified on the way.
   */
  async unpack(bundle: string, options: UnpackBundleOptions = {}): Promise<UnpackResult> {
    return unpackBundle(await this.layers(), this.runnable(), bundle, options)
  }

  /** The root file system alone. `directory` appears complete or not at all. */
  async unpackRootfs(directory: string, options: UnpackOptions = {}): Promise<UnpackResult> {
    return unpackRootfs(await this.layers(), directory, options)
  }

  /**
   * The bytes of a blob, as they are stored: of a layer, or of whatever an artifact holds. Verified: the last piece comes
   * only when size and digest were right, otherwise the stream fails.
   */
  blob(descriptor: Descriptor): Readable {
    return readBlob(this.source, descriptor)
  }

  /** The blobs that the source lacks, which is allowed: another place may have them. Unpacking needs all of them. */
  async missing(): Promise<Descriptor[]> {
    const all = [this.manifest.config, ...this.manifest.layers]
    const found = await Promise.all(all.map(({ digest, data }) => data ?? this.source.locate(digest)))
    return all.filter((_, index) => found[index] === undefined)
  }

  /** Gives back what the source holds. An image of a layout directory holds nothing. */
  async close(): Promise<void> {
    await this.source.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** @internal The configuration of an image that can be run. Throws `ERR_UNSUPPORTED_IMAGE`. */
  runnable(): ImageConfig {
    if (this.config) return this.config
    const type = this.manifest.config.mediaType
    throw new CaissonError(
      'ERR_UNSUPPORTED_IMAGE',
      `${this.digest} is an artifact (${type}), not an image to run`,
      {
        phase: 'unpack',
      },
    )
  }

  /** @internal Layers with their diffIDs, bottom first. */
  async layers(): Promise<LayerBlob[]> {
    const diffIds = this.diffIds()
    const { layers } = this.manifest
    return Promise.all(layers.map((layer, index) => layerBlob(this.source, layer, diffIds[index]!)))
  }

  /** @internal One for each layer, bottom first. Throws `ERR_INVALID_IMAGE`. */
  diffIds(): readonly string[] {
    const { diff_ids: diffIds } = this.runnable().rootfs
    const { layers } = this.manifest
    if (layers.length !== diffIds.length) {
      throw new CaissonError(
        'ERR_INVALID_IMAGE',
        `${this.digest} has ${layers.length} layers, its configuration ${diffIds.length} diffIDs`,
        { phase: 'unpack' },
      )
    }
    return diffIds
  }
}

async function layerBlob(source: ImageSource, layer: Descriptor, diffId: string): Promise<LayerBlob> {
  const compression = layerCompression(layer.mediaType)
  if (compression === undefined) {
    const message = `layer ${layer.digest} is of the type ${layer.mediaType}`
    throw new CaissonError('ERR_UNSUPPORTED_IMAGE', message, { phase: 'unpack' })
  }
  const { path, offset, size } = await locateBlob(source, layer)
  return { path, offset, size, digest: layer.digest, compression, diffId }
}

function wantedPlatform(platform: Platform | string | undefined): Platform {
  if (platform === undefined) return thisMachine()
  if (typeof platform !== 'string') return platform
  const parsed = parsePlatform(platform)
  if (parsed) return parsed
  throw new CaissonError(
    'ERR_INVALID_OPTION',
    `platform ${JSON.stringify(platform)} is not os/architecture[/variant]`,
    {
      phase: 'validate',
    },
  )
}
