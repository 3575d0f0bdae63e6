/** Docker's image manifest, version 2, schema 2: the origin of OCI images, and still in registries. */
import type { Descriptor } from '../image/descriptor.ts'

/** "Image Manifest Version 2, Schema 2"; differs from an OCI manifest in its media types. */
export interface DockerManifest {
  /** Always 2. */
  schemaVersion: 2
  /** `application/vnd.docker.distribution.manifest.v2+json`. */
  mediaType: string
  /** `application/vnd.docker.container.image.v1+json`. */
  config: Descriptor
  /** Base layer first. */
  layers: Descriptor[]
  [property: string]: unknown
}

/** "Manifest List": Docker's index. */
export interface DockerManifestList {
  /** Always 2. */
  schemaVersion: 2
  /** `application/vnd.docker.distribution.manifest.list.v2+json`. */
  mediaType: string
  /** Each with its platform. */
  manifests: Descriptor[]
  [property: string]: unknown
}
