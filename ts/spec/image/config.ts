/** Image configurations of the OCI image specification 1.1 (config.md): the image, not the container. */

/** config.md, "Properties". Unknown properties are kept. */
export interface ImageConfig {
  /** RFC 3339. */
  created?: string
  /** Name and address. */
  author?: string
  /** GOARCH. */
  architecture: string
  /** GOOS. */
  os: string
  /** Variant of the CPU (image-index.md, "Platform Variants"). */
  variant?: string
  /** As in an index's `platform`. */
  'os.version'?: string
  /** As in an index's `platform`. */
  'os.features'?: string[] | null
  /** Defaults for containers. */
  config?: ImageExecution | null
  /** Digests of the uncompressed layer archives ("Layer DiffID"), base first. */
  rootfs: { type: 'layers'; diff_ids: string[] }
  /** History of the layers, oldest first. */
  history?: ImageHistory[] | null
  [property: string]: unknown
}

/** config.md, "Properties", `config`. Docker's own properties are in `DockerContainerConfig`. */
export interface ImageExecution {
  /** user, uid, user:group, uid:gid, uid:group or user:gid. */
  User?: string | null
  /** Keys `80`, `80/tcp`, `53/udp`. */
  ExposedPorts?: Record<string, object> | null
  /** `NAME=value`. */
  Env?: string[] | null
  /** Program and first arguments. */
  Entrypoint?: string[] | null
  /** Arguments after those of `Entrypoint`, or program and arguments without one. */
  Cmd?: string[] | null
  /** Keys are paths in the container. */
  Volumes?: Record<string, object> | null
  /** Absolute path in the container; `/` if absent or empty. */
  WorkingDir?: string | null
  /** annotations.md. */
  Labels?: Record<string, string> | null
  /** `SIGTERM`, `SIGRTMIN+3`. */
  StopSignal?: string | null
  /** Windows: `Cmd` is one escaped command line. Deprecated. */
  ArgsEscaped?: boolean | null
  [property: string]: unknown
}

/** config.md, "Properties", `history`. */
export interface ImageHistory {
  /** RFC 3339. */
  created?: string
  /** Name and address. */
  author?: string
  /** Command that made the layer. */
  created_by?: string
  /** Human-readable. */
  comment?: string
  /** Whether this entry has no layer. */
  empty_layer?: boolean
  [property: string]: unknown
}
