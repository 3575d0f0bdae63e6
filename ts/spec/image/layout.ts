/** The header of an image layout (image-layout.md). */

/** The file `oci-layout` (image-layout.md, "oci-layout file"). */
export interface LayoutHeader {
  /** Version of image-layout.md; only one exists. */
  imageLayoutVersion: '1.0.0'
  [property: string]: unknown
}
