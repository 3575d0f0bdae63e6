/** One image: a manifest, its configuration and its layers. */
import { CaissonError } from '../errors.ts'
import type { LayerBlob } from '../native/layer.ts'
import type { Descriptor, ImageConfig, ImageManifest } from '../spec/index.ts'
import { parseConfig, parseManifest } from './document.ts'
import { writeHostImage, type FromHostOptions } from './from-host.ts'
import { Layout } from './layout.ts'
import { isConfigType, layerCompression } from './media-type.ts'
import { formatPlatform, hostPlatform, parsePlatform, platformRank, type Platform } from './platform.ts'
import { parseReference } from './reference.ts'
import type { RuntimeConfigOptions } from './runtime-config.ts'
import { selectManifest } from './select.ts'
import { unpackBundle, unpackRootfs, type UnpackOptions, type UnpackResult } from './unpack.ts'

export interface OpenImageOptions {
  /** `'linux/arm64/v8'` or its parts. Default: this machine. */
  platform?: Platform | string | undefined
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
  readonly layout: Layout
  readonly descriptor: Readonly<Descriptor>
  readonly manifest: Readonly<ImageManifest>
  /** Undefined for artifacts, whose configuration is something else. */
  readonly config: Readonly<ImageConfig> | undefined

  private constructor(
    layout: Layout,
    descriptor: Descriptor,
    manifest: ImageManifest,
    config: ImageConfig | undefined,
  ) {
    this.layout = layout
    this.descriptor = descriptor
    this.manifest = manifest
    this.config = config
  }

  /**
   * Opens `oci:DIRECTORY[:TAG|@DIGEST]`. Throws `ERR_INVALID_OPTION`, `ERR_IMAGE_NOT_FOUND`, `ERR_BLOB_NOT_FOUND`,
   * `ERR_INVALID_IMAGE`, `ERR_SIZE_MISMATCH` and `ERR_DIGEST_MISMATCH`.
   */
  static async open(reference: string, options: OpenImageOptions = {}): Promise<Image> {
    const { path, tag, digest } = parseReference(reference)
    const platform = wantedPlatform(options.platform)
    const layout = await Layout.open(path)
    const image = await Image.#read(layout, await selectManifest(layout, { tag, digest, platform }))
    const { config, descriptor } = image
    // An index that says nothing about platforms: the configuration does.
    if (config && !descriptor.platform && digest === undefined && platformRank(config, platform) === 0) {
      throw new CaissonError(
        'ERR_IMAGE_NOT_FOUND',
        `${reference} is an image for ${formatPlatform(config)}, not for ${formatPlatform(platform)}`,
        { path: layout.path, phase: 'resolve', hint: 'choose it with the option platform' },
      )
    }
    return image
  }

  /** Packs programs of this host, with the libraries they need, into a layout, and opens the result. */
  static async fromHost(options: FromHostOptions): Promise<Image> {
    const { layout, manifest } = await writeHostImage(options)
    return Image.#read(layout, manifest)
  }

  static async #read(layout: Layout, descriptor: Descriptor): Promise<Image> {
    const text = await layout.readBlob(descriptor)
    const manifest = parseManifest(text, `manifest ${descriptor.digest}`, descriptor.mediaType)
    const config = isConfigType(manifest.config.mediaType)
      ? parseConfig(await layout.readBlob(manifest.config), `configuration ${manifest.config.digest}`)
      : undefined
    return new Image(layout, descriptor, manifest, config)
  }

  /** Digest of the manifest. */
  get digest(): string {
    return this.descriptor.digest
  }

  /**
   * Makes a bundle: `rootfs` from the layers, `config.json` from the image configuration and the options. The directory
   * must not exist or be empty; after a failure it is as before. Every blob and diffID is verified on the way.
   */
  async unpack(bundle: string, options: UnpackOptions & RuntimeConfigOptions = {}): Promise<UnpackResult> {
    return unpackBundle(this.#layers(), this.#runnable(), bundle, options)
  }

  /** The root file system alone. `directory` appears complete or not at all. */
  async unpackRootfs(directory: string, options: UnpackOptions = {}): Promise<UnpackResult> {
    return unpackRootfs(this.#layers(), directory, options)
  }

  #runnable(): ImageConfig {
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

  /** Layers with their diffIDs, bottom first. */
  #layers(): LayerBlob[] {
    const { diff_ids: diffIds } = this.#runnable().rootfs
    const { layers } = this.manifest
    if (layers.length !== diffIds.length) {
      throw new CaissonError(
        'ERR_INVALID_IMAGE',
        `${this.digest} has ${layers.length} layers, its configuration ${diffIds.length} diffIDs`,
        { phase: 'unpack' },
      )
    }
    return layers.map(({ mediaType, digest, size }, index) => {
      const compression = layerCompression(mediaType)
      if (compression === undefined) {
        throw new CaissonError('ERR_UNSUPPORTED_IMAGE', `layer ${digest} is of the type ${mediaType}`, {
          phase: 'unpack',
        })
      }
      return { path: this.layout.blobPath(digest), digest, size, compression, diffId: diffIds[index]! }
    })
  }
}

function wantedPlatform(platform: Platform | string | undefined): Platform {
  if (platform === undefined) return hostPlatform()
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
