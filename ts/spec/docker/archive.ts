/** manifest.json of `docker save` archives. */

/** One entry for each image. Paths count from the root of the archive. */
export interface DockerArchiveImage {
  /** The configuration. */
  Config: string
  /** `name:tag`. */
  RepoTags: string[] | null
  /** Archives of the layers, the base first. */
  Layers: string[]
  /** Id of the image this one is based on. */
  Parent?: string
  /** Descriptors by diff_id, of layers that are elsewhere. */
  LayerSources?: Record<string, import('../image/descriptor.ts').Descriptor>
  [property: string]: unknown
}

/** manifest.json itself. */
export type DockerArchiveManifest = DockerArchiveImage[]
