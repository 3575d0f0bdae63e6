/** The files of a layout, wherever they are, as far as validation needs them. */
import type { ImageIndex } from '../../spec/index.ts'
import { MAX_DOCUMENT_BYTES } from '../limits.ts'
import { blobName } from '../source/layout-files.ts'
import { readStart } from '../source/read.ts'
import type { FileRange, ImageSource } from '../source/source.ts'

/** Where a file is, by its name in the layout. */
export type Find = (name: string) => Promise<FileRange | undefined>

/** A document, or undefined; of one beyond the limit enough to say so. */
export async function readFileOf(find: Find, name: string): Promise<Buffer | undefined> {
  const range = await find(name)
  return range && readStart(range, MAX_DOCUMENT_BYTES + 1)
}

/** An image source that only tells where blobs are. */
export function blobsOf(transport: ImageSource['transport'], path: string, find: Find): ImageSource {
  return {
    transport,
    path,
    index: (): Promise<ImageIndex> => Promise.reject(new Error('the index is looked at, not used')),
    locate: (digest) => find(blobName(digest)),
    close: () => Promise.resolve(),
  }
}
