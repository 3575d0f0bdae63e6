/** Content descriptors of the OCI image specification 1.1 (descriptor.md). Names are the specification's. */

/** descriptor.md, "Properties". Unknown properties are kept. */
export interface Descriptor {
  /** `type/subtype` of RFC 6838, without parameters. */
  mediaType: string
  /** `sha256:…` ("Digests"). */
  digest: string
  /** Size of the stored content in bytes. */
  size: number
  /** Absolute URIs of the content. */
  urls?: string[] | null
  /** annotations.md; keys in reverse domain notation. */
  annotations?: Record<string, string> | null
  /** The content itself, base64 with padding. */
  data?: string
  /** Type of the artifact that the descriptor refers to. */
  artifactType?: string
  /** Platform of an image (image-index.md, "Image Index Property Descriptions"). */
  platform?: Platform
  [property: string]: unknown
}

/** image-index.md, `platform`; values of GOOS and GOARCH (`linux`, `amd64`). */
export interface Platform {
  /** GOARCH. */
  architecture: string
  /** GOOS. */
  os: string
  /** Variant of the CPU, e.g. `v8` ("Platform Variants"). */
  variant?: string
  /** Windows: the build, e.g. `10.0.14393.1066`. */
  'os.version'?: string
  /** Windows: `win32k`. */
  'os.features'?: string[] | null
  [property: string]: unknown
}
