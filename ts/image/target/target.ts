/** Targets for images: a layout, an archive, or anything else that stores blobs and an index. */
import type { Descriptor } from '../../spec/index.ts'
import type { ImageSource } from '../source/source.ts'

/** A blob and its source. A document created on the way is in its descriptor (`data`). */
export interface BlobOrigin {
  source: ImageSource
  descriptor: Descriptor
}

export interface NamedImage {
  /** Descriptor of a manifest or an index, without a name. */
  descriptor: Descriptor
  /** The name in the target: a tag, or a name of Docker. */
  name: string | undefined
}

/** The content of one write. */
export interface ImageSet {
  images: readonly NamedImage[]
  /** All blobs by digest. A document comes after those it refers to. */
  blobs: ReadonlyMap<string, BlobOrigin>
}

export interface CopyProgress {
  /** Bytes of blobs copied so far, and blobs. */
  bytes: number
  blobs: number
  /** Size of all blobs to copy. */
  total: number
}

/** How to watch and abort writing. */
export interface CopyOperation {
  signal?: AbortSignal | undefined
  /** Called while blobs are copied. */
  onProgress?: ((progress: CopyProgress) => void) | undefined
}

/** What was copied, without blobs that the target already had. */
export interface Copied {
  bytes: number
  blobs: number
}

/** The counterpart of {@link ImageSource}. Every blob is verified while it is written. */
export interface ImageTarget {
  readonly transport: 'oci' | 'oci-archive' | 'docker-archive'
  /** Absolute path of the directory or file. */
  readonly path: string
  /** Whether the target can store an index; otherwise one of its images must be selected. */
  readonly takesIndexes: boolean
  /**
   * The name of an image there: the requested one, or its name in the source. Throws `ERR_INVALID_OPTION` for an
   * invalid name.
   */
  nameOf(wanted: string | undefined, origin: { tag: string | undefined; entry: Descriptor }): string | undefined
  /** Writes everything. An archive is written atomically; a failure may leave unreferenced blobs in a layout. */
  write(set: ImageSet, operation: CopyOperation): Promise<Copied>
}

/** Size of all blobs. */
export function totalOf(blobs: Iterable<BlobOrigin>): number {
  let total = 0
  for (const { descriptor } of blobs) total += descriptor.size
  return total
}
