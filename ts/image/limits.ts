/** Limits on what an image may consume: generous for real images, tight for a decompression bomb. */

/** Every limit has a default; exceeding one is `ERR_LIMIT_EXCEEDED`. */
export interface ImageLimits {
  /** Bytes of files in all layers, holes included; 64 GiB. */
  bytes?: number
  /** Archive entries in all layers; 4,000,000. */
  entries?: number
  /** Components of one path; 512. */
  depth?: number
  /** Bytes of the extended headers of one entry; 1 MiB. */
  headerBytes?: number
  /** Decompressed bytes per compressed byte of a layer, after its first 64 MiB; 500. */
  ratio?: number
}

/** Bytes of one JSON document (registries take 4 MiB). */
export const MAX_DOCUMENT_BYTES: number = 4 << 20
/** Layers of one image; an overlay takes 500 at most, and each needs open files. */
export const MAX_LAYERS = 1000
/** Volumes of one image: each is a mount. */
export const MAX_VOLUMES = 1000
/** Nesting depth of indexes, and number of indexes read for one image. */
export const MAX_INDEX_DEPTH = 4
export const MAX_INDEXES = 64
/** Entries of an archive that holds images; a root file system may have more. */
export const MAX_ARCHIVE_ENTRIES = 100_000
