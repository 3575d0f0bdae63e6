/** Copies blobs from any source to a layout. */
import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Descriptor } from '../../spec/index.ts'
import { systemError } from '../../errors.ts'
import type { Layout } from '../layout.ts'
import { readBlob } from '../source/read.ts'
import type { ImageSource } from '../source/source.ts'
import { writeNewBlob } from './new-blob.ts'

/** Copies and verifies; existing blobs are left alone. True if something was copied. */
export async function copyBlob(
  source: ImageSource,
  descriptor: Descriptor,
  layout: Layout,
  {
    signal,
    onBytes,
  }: { signal?: AbortSignal | undefined; onBytes?: ((count: number) => void) | undefined } = {},
): Promise<boolean> {
  const { digest, size } = descriptor
  const there = await layout.locate(digest)
  if (there?.size === size) return false
  signal?.throwIfAborted()
  await writeNewBlob(layout, async (path) => {
    try {
      const content = readBlob(source, descriptor)
      if (onBytes) content.on('data', (piece: Buffer) => onBytes(piece.length))
      await pipeline(content, createWriteStream(path), signal ? { signal } : {})
    } catch (error) {
      signal?.throwIfAborted() // the signal's reason, not the stream's AbortError
      throw systemError(`cannot write ${layout.blobPath(digest)}`, error)
    }
    return { digest }
  })
  return true
}
