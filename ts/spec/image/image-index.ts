/** Image indexes of the OCI image specification 1.1 (image-index.md); also index.json of a layout. */
import type { Descriptor } from './descriptor.ts'

/** image-index.md, "Image Index Property Descriptions". Unknown properties are kept. */
export interface ImageIndex {
  /** Always 2, as Docker's. */
  schemaVersion: 2
  /** `application/vnd.oci.image.index.v1+json`; should be set. */
  mediaType?: string
  /** Type of the artifact, if the index is one. */
  artifactType?: string
  /** Images and further indexes; may be empty. */
  manifests: Descriptor[]
  /** The manifest that this index refers to: the other end of "referrers". */
  subject?: Descriptor
  /** annotations.md. */
  annotations?: Record<string, string> | null
  [property: string]: unknown
}
