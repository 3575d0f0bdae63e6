/** Where images are written: a layout, an archive, anything that takes blobs and an index. */
import type { Descriptor } from '../../spec/index.ts'
import type { ImageSource } from '../source/source.ts'

/** A blob and what it is read from. A document that was made on the way is in its descriptor (`data`). */
export interface BlobOrigin {
  source: ImageSource
  descriptor: Descriptor
}

export interface NamedImage {
  /** Of a manifest or an index, without a name. */
  descriptor: Descriptor
  /** As the target has it: a tag, or a name in Docker's words. */
  name: string | undefined
}

/** What is written in one go. */
export interface ImageSet {
  images: readonly NamedImage[]
  /** All that they are made of, by digest. What a document refers to comes before it. */
  blobs: ReadonlyMap<string, BlobOrigin>
}

export interface CopyProgress {
  /** Bytes of blobs copied so far, and blobs. */
  bytes: number
  blobs: number
  /** Bytes of all blobs that are to be copied. */
  total: number
}

/** How writing is watched and stopped. */
export interface CopyOperation {
  signal?: AbortSignal | undefined
  /** Called while blobs are copied. */
  onProgress?: ((progress: CopyProgress) => void) | undefined
}

/** What was copied; what the target had already is not counted. */
export interface Copied {
  bytes: number
  blobs: number
}

/** The counterpart of {@link ImageSource}. Every blob is verified while it is written. */
export interface ImageTarget {
  readonly transport: 'oci' | 'oci-archive' | 'docker-archive'
  /** Absolute path of the directory or file. */
  readonly path: string
  /** Whether an index is written as one; otherwise one image of it must be chosen. */
  readonly takesIndexes: boolean
  /**
   * The name of an image there: the one asked for, or the one it has in its source. Throws `ERR_INVALID_OPTION` for an
   * invalid name.
   */
  nameOf(wanted: string | undefined, origin: { tag: string | undefined; entry: Descriptor }): string | undefined
  /** Writes all of it. An archive appears whole or not at all; a layout may keep blobs that nothing leads to. */
  write(set: ImageSet, operation: CopyOperation): Promise<Copied>
}

/** Bytes of all blobs. */
export function totalOf(blobs: Iterable<BlobOrigin>): number {
  let total = 0
  for (const { descriptor } of blobs) total += descriptor.size
  return total
}
