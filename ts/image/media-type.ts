/** The media types of images, OCI and Docker. */

export const MEDIA_TYPE = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const

const INDEXES = new Set<string>([
  MEDIA_TYPE.index,
  'application/vnd.docker.distribution.manifest.list.v2+json',
])
const MANIFESTS = new Set<string>([
  MEDIA_TYPE.manifest,
  'application/vnd.docker.distribution.manifest.v2+json',
])
const CONFIGS = new Set<string>([MEDIA_TYPE.config, 'application/vnd.docker.container.image.v1+json'])
const LAYER =
  /^application\/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar|docker\.image\.rootfs(?:\.foreign)?\.diff\.tar)(?:[+.](gzip|zstd))?$/

export type LayerCompression = 'none' | 'gzip' | 'zstd'

/** The media type of a layer. */
export function layerType(compression: LayerCompression): string {
  return `application/vnd.oci.image.layer.v1.tar${compression === 'none' ? '' : `+${compression}`}`
}

export function isIndexType(mediaType: string): boolean {
  return INDEXES.has(mediaType)
}

export function isManifestType(mediaType: string): boolean {
  return MANIFESTS.has(mediaType)
}

export function isConfigType(mediaType: string): boolean {
  return CONFIGS.has(mediaType)
}

/** How a layer is compressed; undefined for anything that is no file system layer. */
export function layerCompression(mediaType: string): LayerCompression | undefined {
  const match = LAYER.exec(mediaType)
  return match ? ((match[1] as LayerCompression | undefined) ?? 'none') : undefined
}

/** Whether bytes begin as gzip or zstd do. */
export function isCompressed(bytes: Uint8Array): boolean {
  const [a, b, c, d] = bytes
  return (a === 0x1f && b === 0x8b) || (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd)
}
