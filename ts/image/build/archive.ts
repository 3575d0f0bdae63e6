/** Existing archives as layers. */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { CaissonError } from '../../errors.ts'
import type { LayerCompression } from '../media-type.ts'

const PIECE = 256 << 10

/** The compression of an archive, by its first bytes. Throws `ERR_INVALID_OPTION` for a missing file. */
export async function detectCompression(path: string): Promise<LayerCompression> {
  const file = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw new CaissonError('ERR_INVALID_OPTION', `cannot open the archive ${path}: ${cause.message}`, {
      phase: 'validate',
      path,
      cause,
    })
  })
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    if (buffer[0] === 0x1f && buffer[1] === 0x8b) return 'gzip'
    return buffer.readUInt32LE() === 0xfd2fb528 ? 'zstd' : 'none'
  } finally {
    await file.close()
  }
}

/** Copies a file over another, and returns digest and size. */
export async function copyAndDigest(
  from: string,
  to: string,
  signal?: AbortSignal,
): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256')
  let size = 0
  const content = createReadStream(from, { highWaterMark: PIECE })
  content.on('data', (piece) => {
    hash.update(piece)
    size += piece.length
  })
  await pipeline(content, createWriteStream(to), signal ? { signal } : {})
  return { digest: `sha256:${hash.digest('hex')}`, size }
}
