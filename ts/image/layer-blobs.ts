/** The layers of an image in the form of the native side. */
import { CaissonError } from '../errors.ts'
import type { LayerBlob } from '../native/layer.ts'
import type { Descriptor, ImageConfig, ImageManifest } from '../spec/index.ts'
import { layerCompression } from './media-type.ts'
import { locateBlob } from './source/read.ts'
import { MAX_LAYERS, type ImageLimits } from './limits.ts'
import type { ImageSource } from './source/source.ts'

/** The parts of an image. */
export interface ImageParts {
  readonly source: ImageSource
  readonly digest: string
  readonly manifest: Readonly<ImageManifest>
  readonly config: Readonly<ImageConfig> | undefined
  /** Limits on reading its layers; undefined for the defaults. */
  readonly limits?: ImageLimits | undefined
}

/** The configuration of a runnable image. Throws `ERR_UNSUPPORTED_IMAGE` for an artifact. */
export function runnableConfig({ config, digest, manifest }: ImageParts): ImageConfig {
  if (config) return config
  const message = `${digest} is an artifact (${manifest.config.mediaType}), not an image to run`
  throw new CaissonError('ERR_UNSUPPORTED_IMAGE', message, { phase: 'unpack' })
}

/** One per layer, bottom first. Throws `ERR_INVALID_IMAGE`. */
export function layerDiffIds(image: ImageParts): readonly string[] {
  const { diff_ids: diffIds } = runnableConfig(image).rootfs
  const { layers } = image.manifest
  if (layers.length > MAX_LAYERS) {
    const message = `${image.digest} has ${layers.length} layers, more than ${MAX_LAYERS}`
    throw new CaissonError('ERR_LIMIT_EXCEEDED', message, { phase: 'unpack' })
  }
  if (layers.length === diffIds.length) return diffIds
  throw new CaissonError(
    'ERR_INVALID_IMAGE',
    `${image.digest} has ${layers.length} layers, its configuration ${diffIds.length} diffIDs`,
    { phase: 'unpack' },
  )
}

/** Layers with their diffIDs, bottom first. */
export async function layerBlobs(image: ImageParts): Promise<LayerBlob[]> {
  const diffIds = layerDiffIds(image)
  const { layers } = image.manifest
  return Promise.all(layers.map((layer, index) => layerBlob(image.source, layer, diffIds[index]!)))
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
