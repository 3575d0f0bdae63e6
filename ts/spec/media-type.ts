/** The media types of OCI (media-types.md) and Docker images, and their properties. */

export const MEDIA_TYPE = {
  descriptor: 'application/vnd.oci.descriptor.v1+json',
  layoutHeader: 'application/vnd.oci.layout.header.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  /** `{}`, for documents without content. */
  empty: 'application/vnd.oci.empty.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerManifestList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  /** Docker's first images, which no current reader supports. */
  dockerSchema1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerSchema1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
} as const

const INDEXES = new Set<string>([MEDIA_TYPE.index, MEDIA_TYPE.dockerManifestList])
const MANIFESTS = new Set<string>([MEDIA_TYPE.manifest, MEDIA_TYPE.dockerManifest])
const CONFIGS = new Set<string>([MEDIA_TYPE.config, MEDIA_TYPE.dockerConfig])
const LAYER =
  /^application\/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar|docker\.image\.rootfs(?:\.foreign)?\.diff\.tar)(?:[+.](gzip|zstd))?$/

export type LayerCompression = 'none' | 'gzip' | 'zstd'

export function isIndexType(mediaType: string): boolean {
  return INDEXES.has(mediaType)
}

export function isManifestType(mediaType: string): boolean {
  return MANIFESTS.has(mediaType)
}

export function isConfigType(mediaType: string): boolean {
  return CONFIGS.has(mediaType)
}

/** Whether a layer may only be fetched from its `urls`: the deprecated types for foreign layers. */
export function isNonDistributable(mediaType: string): boolean {
  return LAYER.test(mediaType) && /\.nondistributable\.|\.foreign\./.test(mediaType)
}

/** The compression of a layer; undefined for anything but a file system layer. */
export function layerCompression(mediaType: string): LayerCompression | undefined {
  const match = LAYER.exec(mediaType)
  return match ? ((match[1] as LayerCompression | undefined) ?? 'none') : undefined
}

/** A valid `type/subtype` for a descriptor: RFC 6838, section 4.2, without parameters. */
export function isMediaType(text: string): boolean {
  return MEDIA_TYPE_NAME.test(text)
}

export const MEDIA_TYPE_NAME: RegExp =
  /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/

/** The OCI equivalent of a Docker type; other types are unchanged. */
export function ociMediaType(mediaType: string): string {
  return COUNTERPARTS.get(mediaType) ?? mediaType
}

const COUNTERPARTS = new Map<string, string>([
  [MEDIA_TYPE.dockerManifestList, MEDIA_TYPE.index],
  [MEDIA_TYPE.dockerManifest, MEDIA_TYPE.manifest],
  [MEDIA_TYPE.dockerConfig, MEDIA_TYPE.config],
  [MEDIA_TYPE.dockerLayer, MEDIA_TYPE.layer],
  [MEDIA_TYPE.dockerLayerGzip, MEDIA_TYPE.layerGzip],
  [`${MEDIA_TYPE.dockerLayer}.zstd`, MEDIA_TYPE.layerZstd],
  [
    'application/vnd.docker.image.rootfs.foreign.diff.tar',
    'application/vnd.oci.image.layer.nondistributable.v1.tar',
  ],
  [
    'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  ],
])
