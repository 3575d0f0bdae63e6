/** The files of a layout, in any place, as needed for validation. */
import type { ImageIndex } from '../../spec/index.ts'
import { MAX_DOCUMENT_BYTES } from '../limits.ts'
import { blobName } from '../source/layout-files.ts'
import { readStart } from '../source/read.ts'
import type { FileRange, ImageSource } from '../source/source.ts'

/** The location of a file, by its name in the layout. */
export type Find = (name: string) => Promise<FileRange | undefined>

/** The content of a document, or undefined; a document over the limit is truncated. */
export async function readFileOf(find: Find, name: string): Promise<Buffer | undefined> {
  const range = await find(name)
  return range && readStart(range, MAX_DOCUMENT_BYTES + 1)
}

/** An image source that only locates blobs. */
export function blobsOf(transport: ImageSource['transport'], path: string, find: Find): ImageSource {
  return {
    transport,
    path,
    index: (): Promise<ImageIndex> => Promise.reject(new Error('the index is looked at, not used')),
    locate: (digest) => find(blobName(digest)),
    close: () => Promise.resolve(),
  }
}
