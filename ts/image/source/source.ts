/** Where images come from: a directory, an archive, anything that has an index and blobs. */
import type { ImageIndex } from '../../spec/index.ts'
import type { Transport } from '../reference.ts'

/** Bytes of a file. */
export interface FileRange {
  path: string
  offset: number
  size: number
}

/**
 * What an {@link Image} is read from, whatever it looks like on disk. Blobs are ranges of files, so that an archive is
 * read where it lies. Nothing here is verified: {@link readDocument}, {@link readBlob} and the unpacker do that.
 */
export interface ImageSource {
  readonly transport: Transport
  /** Absolute path of the directory or file. */
  readonly path: string
  /** The top index. Throws `ERR_INVALID_IMAGE`. */
  index(): Promise<ImageIndex>
  /** Where a blob is, or undefined where this source lacks it. Throws `ERR_INVALID_IMAGE` for an invalid digest. */
  locate(digest: string): Promise<FileRange | undefined>
  /** Gives back what the source holds (an unpacked archive). Afterwards none of its blobs can be read. */
  close(): Promise<void>
}

/** As in a reference, for messages. */
export function locationOf({ transport, path }: ImageSource): string {
  return `${transport}:${path}`
}
