/** An image: a manifest, its configuration and its layers. */
import type { Readable } from 'node:stream'
import { explainErrors } from '../boundary.ts'
import { CaissonError } from '../errors.ts'
import type { LayerBlob } from '../native/layer.ts'
import { checkArgument, checkOptions } from '../options.ts'
import type { Descriptor, ImageConfig, ImageManifest, RuntimeSpec } from '../spec/index.ts'
import { buildImage, type BuildOptions, type BuildResult } from './build/build.ts'
import { bundleConfig, type BundleConfigOptions } from './bundle-config.ts'
import { parseConfig, parseManifest } from './document.ts'
import { convertImage, type ConvertOptions } from './edit/convert.ts'
import { rebaseImage, type RebaseOptions } from './edit/rebase.ts'
import { squashImage, type SquashOptions } from './edit/squash.ts'
import { hostImage, type FromHostOptions } from './from-host.ts'
import { layerBlobs, layerDiffIds, runnableConfig } from './layer-blobs.ts'
import { Layout } from './layout.ts'
import type { ImageLimits } from './limits.ts'
import { isConfigType } from './media-type.ts'
import { formatPlatform, parsePlatform, platformRank, type Platform } from './platform.ts'
import { thisMachine } from './processor.ts'
import {
  buildOptions,
  bundleConfigOptions,
  convertOptions,
  diffOptions,
  exportOptions,
  fromHostOptions,
  openOptions,
  rebaseOptions,
  signalOnly,
  squashOptions,
  unpackBundleOptions,
  unpackOptions,
} from './options/known.ts'
import { descriptor as isDescriptor, image as isImage, word } from './options/parts.ts'
import { parseReference } from './reference.ts'
import { diffImages, type DiffOptions, type ImageDifference } from './read/diff.ts'
import { exportRootfs, readFileOf, type ExportOptions } from './read/rootfs.ts'
import { verifyImage, type VerifyResult } from './read/verify.ts'
import { selectManifest } from './select.ts'
import { openSource } from './source/open.ts'
import { readBlob, readDocument } from './source/read.ts'
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
  /**
   * Without `platform`: takes the only image of the name, whatever its platform, to inspect or change it.
   */
  anyPlatform?: boolean | undefined
  /** Limits on everything that this object reads. Default: see {@link ImageLimits}. */
  limits?: ImageLimits | undefined
  /** Aborts the reading of an archive that must be decompressed or hashed first. */
  signal?: AbortSignal | undefined
}

/**
 * An open image with verified documents. Layers are verified when they are unpacked.
 *
 * @example
 * ```ts
 * const image = await Image.open('oci:./images:busybox')
 * await image.unpack('./bundle', { args: ['sh', '-c', 'id'] })
 * ```
 */
export class Image {
  /** The source that it is read from. */
  readonly source: ImageSource
  readonly descriptor: Readonly<Descriptor>
  readonly manifest: Readonly<ImageManifest>
  /** Undefined for artifacts, whose configuration is of another type. */
  readonly config: Readonly<ImageConfig> | undefined
  /** Limits on reading it; undefined for the defaults. */
  readonly limits: ImageLimits | undefined

  private constructor(
    source: ImageSource,
    descriptor: Descriptor,
    manifest: ImageManifest,
    config: ImageConfig | undefined,
    limits: ImageLimits | undefined,
  ) {
    this.source = source
    this.descriptor = descriptor
    this.manifest = manifest
    this.config = config
    this.limits = limits
  }

  /**
   * Opens `oci:DIRECTORY[:TAG|@DIGEST]`, `oci-archive:FILE[:TAG|@DIGEST]`, `docker-archive:FILE[:NAME[:TAG]|@DIGEST]`
   * or a root file system, `tar:FILE` or `dir:DIRECTORY`. An archive may be compressed with gzip or zstd; a private
   * copy of a compressed archive or of a directory is kept until the image is closed. Throws `ERR_INVALID_OPTION`,
   * `ERR_IMAGE_NOT_FOUND`, `ERR_BLOB_NOT_FOUND`, `ERR_INVALID_IMAGE`, `ERR_SIZE_MISMATCH`, `ERR_DIGEST_MISMATCH` and,
   * for damaged archives, `ERR_LAYER_INVALID`.
   */
  static async open(reference: string, options: OpenImageOptions = {}): Promise<Image> {
    const parsed = parseReference(reference)
    checkOptions(options, openOptions)
    const platform = wantedPlatform(options.platform)
    const orOnly = options.anyPlatform && options.platform === undefined
    const source = await openSource(parsed, { signal: options.signal, limits: options.limits })
    try {
      const { tag, name, digest } = parsed
      const image = await Image.from(
        source,
        await selectManifest(source, { tag, name, digest, platform, orOnly }),
        { limits: options.limits },
      )
      const { config, descriptor } = image
      // For an index without platforms the configuration decides.
      const named = orOnly || digest !== undefined || descriptor.platform !== undefined
      if (config && !named && platformRank(config, platform) === 0) {
        throw new CaissonError(
          'ERR_IMAGE_NOT_FOUND',
          `${reference} is an image for ${formatPlatform(config)}, not for ${formatPlatform(platform)}`,
          {
            path: source.path,
            phase: 'resolve',
            hint: `choose it with the option platform: --platform ${formatPlatform(config)}`,
          },
        )
      }
      return image
    } catch (error) {
      await source.close()
      throw error
    }
  }

  /** Packs programs of this host with the libraries they need into a layout, and opens the result. */
  static async fromHost(options: FromHostOptions): Promise<Image> {
    checkOptions(options, fromHostOptions)
    return Image.build(await hostImage(options))
  }

  /** The image of `descriptor` in `source`. The image owns the source from then on. */
  static async from(
    source: ImageSource,
    descriptor: Descriptor,
    options: Pick<OpenImageOptions, 'limits'> = {},
  ): Promise<Image> {
    checkArgument('descriptor', descriptor, isDescriptor)
    checkOptions(options, { limits: openOptions.limits })
    const bytes = await readDocument(source, descriptor)
    const manifest = await parseManifest(bytes, `manifest ${descriptor.digest}`, descriptor.mediaType)
    const config = isConfigType(manifest.config.mediaType)
      ? await parseConfig(
          await readDocument(source, manifest.config),
          `configuration ${manifest.config.digest}`,
        )
      : undefined
    return new Image(source, descriptor, manifest, config, options.limits)
  }

  /** Digest of the manifest. */
  get digest(): string {
    return this.descriptor.digest
  }

  /**
   * Creates a bundle: `rootfs` from the layers, `config.json` from the image configuration and the options. The
   * directory must not exist or be empty; a failure leaves it unchanged. Every blob and diffID is verified on the way.
   */
  async unpack(bundle: string, options: UnpackBundleOptions = {}): Promise<UnpackResult> {
    checkOptions(options, unpackBundleOptions)
    return unpackBundle(await this.layers(), this.runnable(), bundle, this.#limited(options))
  }

  /**
   * The `config.json` that `unpack` would write, without unpacking anything.
   *
   * @example
   * ```ts
   * const spec = image.runtimeConfig({ rootfs: './bundle/rootfs', args: ['id'] })
   * ```
   */
  runtimeConfig(options: BundleConfigOptions = {}): RuntimeSpec {
    checkOptions(options, bundleConfigOptions)
    return bundleConfig(this.runnable(), options)
  }

  /** Unpacks only the root file system. `directory` appears complete or not at all. */
  async unpackRootfs(directory: string, options: UnpackOptions = {}): Promise<UnpackResult> {
    checkOptions(options, unpackOptions)
    return unpackRootfs(await this.layers(), directory, this.#limited(options))
  }

  /**
   * Builds an image from scratch, or on top of `from`, and opens the result.
   *
   * @example
   * ```ts
   * const image = await Image.build({
   *   from: 'oci:./images:busybox', layout: './images', tag: 'app',
   *   layers: [{ entries: [{ path: '/srv/hello', content: 'hello\n' }] }],
   *   config: { config: { Cmd: ['cat', '/srv/hello'] } },
   * })
   * ```
   */
  static async build(options: BuildOptions & { from?: string | Image | undefined }): Promise<Image> {
    return (await Image.buildWithResult(options)).image
  }

  /** Like `build`, with the result for each layer. */
  static async buildWithResult(
    options: BuildOptions & { from?: string | Image | undefined },
  ): Promise<BuildResult & { image: Image }> {
    checkOptions(options, buildOptions)
    const { from, ...rest } = options
    const base =
      typeof from === 'string'
        ? await Image.open(from, { platform: options.platform, limits: options.limits })
        : from
    try {
      const result = await buildImage(base, rest)
      return {
        ...result,
        image: await Image.from(await layoutOf(rest), result.descriptor, {
          limits: rest.limits ?? base?.limits,
        }),
      }
    } finally {
      if (typeof from === 'string') await base?.close()
    }
  }

  /** Writes this image with fewer layers. */
  async squash(options: SquashOptions): Promise<Image> {
    checkOptions(options, squashOptions)
    const descriptor = await squashImage(this, options)
    return Image.from(await layoutOf(options), descriptor, { limits: this.limits })
  }

  /** Writes this image, built on `base`, as if it were built on `onto`. */
  async rebase(base: Image, onto: Image, options: RebaseOptions): Promise<Image> {
    checkArgument('base', base, isImage)
    checkArgument('onto', onto, isImage)
    checkOptions(options, rebaseOptions)
    const descriptor = await rebaseImage(this, base, onto, options)
    return Image.from(await layoutOf(options), descriptor, { limits: this.limits })
  }

  /** Writes this image with the media types of OCI or Docker, and optionally with another compression of its layers. */
  async convert(options: ConvertOptions): Promise<Image> {
    checkOptions(options, convertOptions)
    const descriptor = await convertImage(this, options)
    return Image.from(await layoutOf(options), descriptor, { limits: this.limits })
  }

  /** The differences between this image and another. */
  async diff(other: Image, options: DiffOptions = {}): Promise<ImageDifference> {
    checkArgument('other', other, isImage)
    checkOptions(options, diffOptions)
    return diffImages(this, other, options)
  }

  /** Reads all blobs, and lists the problems. */
  async verify(options: { signal?: AbortSignal } = {}): Promise<VerifyResult> {
    checkOptions(options, signalOnly)
    return verifyImage(this, options)
  }

  /** The root file system as an uncompressed tar stream, without unpacking it. */
  exportRootfs(options: ExportOptions = {}): Readable {
    checkOptions(options, exportOptions)
    return exportRootfs(this, options)
  }

  /** The content of one file, without unpacking the rest. Links are followed inside the image. */
  readFile(path: string, options: { signal?: AbortSignal } = {}): Readable {
    checkArgument('path', path, word)
    checkOptions(options, signalOnly)
    return readFileOf(this, path, options)
  }

  /**
   * The stored bytes of a blob: a layer, or any blob of an artifact. Verified: the last chunk comes only if size and
   * digest match, otherwise the stream fails.
   */
  blob(descriptor: Descriptor): Readable {
    checkArgument('descriptor', descriptor, isDescriptor)
    return readBlob(this.source, descriptor)
  }

  /** The blobs that the source lacks, which is allowed: another store may have them. Unpacking needs all of them. */
  async missing(): Promise<Descriptor[]> {
    const all = [this.manifest.config, ...this.manifest.layers]
    const found = await Promise.all(all.map(({ digest, data }) => data ?? this.source.locate(digest)))
    return all.filter((_, index) => found[index] === undefined)
  }

  /** Releases the resources of the source. An image of a layout directory holds none. */
  async close(): Promise<void> {
    await this.source.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Limits of the call, or else of the image. */
  #limited<T extends UnpackOptions>(options: T): T {
    return options.limits ? options : { ...options, limits: this.limits }
  }

  /** @internal The configuration of a runnable image. Throws `ERR_UNSUPPORTED_IMAGE`. */
  runnable(): ImageConfig {
    return runnableConfig(this)
  }

  /** @internal Layers with their diffIDs, bottom first. */
  layers(): Promise<LayerBlob[]> {
    return layerBlobs(this)
  }

  /** @internal One per layer, bottom first. Throws `ERR_INVALID_IMAGE`. */
  diffIds(): readonly string[] {
    return layerDiffIds(this)
  }
}
explainErrors(Image)

/** The layout that it was just written to. */
async function layoutOf({ layout }: { layout: string | Layout }): Promise<Layout> {
  return typeof layout === 'string' ? Layout.open(layout) : layout
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
