/** Blobs from any source into a layout. */
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Descriptor } from '../../spec/index.ts'
import { systemError } from '../host-path.ts'
import type { Layout } from '../layout.ts'
import { readBlob } from '../source/read.ts'
import type { ImageSource } from '../source/source.ts'

/** Copies and verifies; what the layout has already is left alone. True where something was copied. */
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
  const temporary = layout.temporaryBlobPath()
  try {
    const content = readBlob(source, descriptor)
    if (onBytes) content.on('data', (piece: Buffer) => onBytes(piece.length))
    const file = createWriteStream(temporary, { flags: 'wx', flush: true } as { flags: string })
    await pipeline(content, file, signal ? { signal } : {})
  } catch (error) {
    await rm(temporary, { force: true })
    signal?.throwIfAborted() // its own reason, not the stream's AbortError
    throw systemError(error, 'write', layout.blobPath(digest))
  }
  await layout.placeBlob(temporary, digest)
  return true
}
