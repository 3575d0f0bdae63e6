/** Media types of images: re-exports those of the specifications, with helpers for this module. */
import {
  isConfigType,
  isManifestType,
  layerCompression,
  MEDIA_TYPE,
  type LayerCompression,
} from '../spec/media-type.ts'

export * from '../spec/media-type.ts'

/** The media type of a layer. */
export function layerType(compression: LayerCompression): string {
  return `application/vnd.oci.image.layer.v1.tar${compression === 'none' ? '' : `+${compression}`}`
}

/** Whether bytes start with the magic number of gzip or zstd. */
export function isCompressed(bytes: Uint8Array): boolean {
  const [a, b, c, d] = bytes
  return (a === 0x1f && b === 0x8b) || (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd)
}

const DOCKER = /^application\/vnd\.docker\./

/**
 * The type of a Docker layer when we write it: never a nondistributable one, which is deprecated. Others are unchanged.
 */
export function writtenLayerType(mediaType: string): string {
  const compression = DOCKER.test(mediaType) ? layerCompression(mediaType) : undefined
  return compression === undefined ? mediaType : layerType(compression)
}

/** Docker's equivalent of an OCI type; undefined without an equivalent. */
export function dockerMediaType(mediaType: string): string | undefined {
  if (isManifestType(mediaType)) return MEDIA_TYPE.dockerManifest
  if (isConfigType(mediaType)) return MEDIA_TYPE.dockerConfig
  const compression = layerCompression(mediaType)
  if (compression === 'gzip') return MEDIA_TYPE.dockerLayerGzip
  return compression === 'none' ? MEDIA_TYPE.dockerLayer : undefined
}
