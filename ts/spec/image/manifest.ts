/** Image manifests of the OCI image specification 1.1 (manifest.md): images, and artifacts of any kind. */
import type { Descriptor } from './descriptor.ts'

/** manifest.md, "Image Manifest Property Descriptions". Unknown properties are kept. */
export interface ImageManifest {
  /** Always 2, as Docker's. */
  schemaVersion: 2
  /** `application/vnd.oci.image.manifest.v1+json`; should be set. */
  mediaType?: string
  /** Required if `config` is the empty descriptor. */
  artifactType?: string
  /** The configuration of an image, or any blob for an artifact. */
  config: Descriptor
  /** Base layer first; at least one. */
  layers: Descriptor[]
  /** The manifest that this one refers to: the other end of "referrers". */
  subject?: Descriptor
  /** annotations.md. */
  annotations?: Record<string, string> | null
  [property: string]: unknown
}
