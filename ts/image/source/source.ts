/** Sources of images: a directory, an archive, or anything else with an index and blobs. */
import type { ImageIndex } from '../../spec/index.ts'
import type { Transport } from '../reference.ts'

/** A range of a file. */
export interface FileRange {
  path: string
  offset: number
  size: number
}

/**
 * The source of an {@link Image}, whatever its form on disk. Blobs are ranges of files, so that an archive is read in
 * place. Nothing here is verified: {@link readDocument}, {@link readBlob} and the unpacker do that.
 */
export interface ImageSource {
  readonly transport: Transport
  /** Absolute path of the directory or file. */
  readonly path: string
  /** The top index. Throws `ERR_INVALID_IMAGE`. */
  index(): Promise<ImageIndex>
  /** The location of a blob; undefined if this source lacks it. Throws `ERR_INVALID_IMAGE` for an invalid digest. */
  locate(digest: string): Promise<FileRange | undefined>
  /** Releases its resources (a decompressed archive). Afterwards its blobs cannot be read. */
  close(): Promise<void>
}

/** The reference form, for messages. */
export function locationOf({ transport, path }: ImageSource): string {
  return `${transport}:${path}`
}
