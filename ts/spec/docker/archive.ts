/** manifest.json of `docker save` archives. */

/** One entry per image. Paths are relative to the root of the archive. */
export interface DockerArchiveImage {
  /** The configuration. */
  Config: string
  /** `name:tag`. */
  RepoTags: string[] | null
  /** Archives of the layers, base first. */
  Layers: string[]
  /** Id of the image this one is based on. */
  Parent?: string
  /** Descriptors, by diffID, of layers that are stored elsewhere. */
  LayerSources?: Record<string, import('../image/descriptor.ts').Descriptor>
  [property: string]: unknown
}

/** manifest.json. */
export type DockerArchiveManifest = DockerArchiveImage[]
