/** Documents of the OCI image specification 1.1. Names are the specification's; unknown properties are kept. */

/** descriptor.md. */
export interface Descriptor {
  mediaType: string
  /** `sha256:…`. */
  digest: string
  /** Bytes. */
  size: number
  urls?: string[] | null
  annotations?: Record<string, string> | null
  /** The content itself, base64. */
  data?: string
  artifactType?: string
  platform?: Platform
  [property: string]: unknown
}

/** image-index.md, `platform`; words of Go (`amd64`, `linux`). */
export interface Platform {
  architecture: string
  os: string
  variant?: string
  'os.version'?: string
  'os.features'?: string[] | null
  [property: string]: unknown
}

/** image-index.md; also index.json of a layout. */
export interface ImageIndex {
  schemaVersion: 2
  mediaType?: string
  artifactType?: string
  manifests: Descriptor[]
  subject?: Descriptor
  annotations?: Record<string, string> | null
  [property: string]: unknown
}

/** manifest.md. */
export interface ImageManifest {
  schemaVersion: 2
  mediaType?: string
  artifactType?: string
  config: Descriptor
  layers: Descriptor[]
  subject?: Descriptor
  annotations?: Record<string, string> | null
  [property: string]: unknown
}

/** config.md: the image, not the container. */
export interface ImageConfig {
  /** RFC 3339. */
  created?: string
  author?: string
  architecture: string
  os: string
  variant?: string
  'os.version'?: string
  'os.features'?: string[] | null
  config?: ImageExecution | null
  rootfs: { type: 'layers'; diff_ids: string[] }
  history?: ImageHistory[] | null
  [property: string]: unknown
}

/** config.md, `config`: defaults of a container. */
export interface ImageExecution {
  /** user, uid, user:group, uid:gid, uid:group or user:gid. */
  User?: string | null
  /** Keys such as `80/tcp`. */
  ExposedPorts?: Record<string, object> | null
  Env?: string[] | null
  Entrypoint?: string[] | null
  Cmd?: string[] | null
  Volumes?: Record<string, object> | null
  WorkingDir?: string | null
  Labels?: Record<string, string> | null
  StopSignal?: string | null
  [property: string]: unknown
}

export interface ImageHistory {
  created?: string
  author?: string
  created_by?: string
  comment?: string
  empty_layer?: boolean
  [property: string]: unknown
}

/** `oci-layout` (image-layout.md). */
export interface LayoutHeader {
  imageLayoutVersion: '1.0.0'
  [property: string]: unknown
}
