/** Verified reading of blobs: documents whole, everything else as a stream. */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { CaissonError } from '../../errors.ts'
import type { Descriptor } from '../../spec/index.ts'
import { requireSize } from './small-file.ts'
import { locationOf, type FileRange, type ImageSource } from './source.ts'

/** Hashing a chunk of this size blocks the event loop for well below a millisecond. */
const PIECE = 256 << 10
const ALGORITHMS = new Set(['sha256', 'sha384', 'sha512'])

/**
 * The bytes of a JSON document, with size and digest verified. Content embedded in the descriptor (`data`) is used if
 * present. Throws `ERR_BLOB_NOT_FOUND`, `ERR_SIZE_MISMATCH`, `ERR_DIGEST_MISMATCH`, `ERR_LIMIT_EXCEEDED`.
 */
export async function readDocument(source: ImageSource, descriptor: Descriptor): Promise<Buffer> {
  const { digest, size } = descriptor
  requireSize(`document ${digest}`, size, source.path)
  const pieces: Buffer[] = []
  for await (const piece of content(source, descriptor)) pieces.push(piece)
  return Buffer.concat(pieces)
}

/**
 * The stored bytes of a blob. The last chunk comes only if size and digest match; otherwise the stream fails with
 * `ERR_SIZE_MISMATCH` or `ERR_DIGEST_MISMATCH`, or `ERR_BLOB_NOT_FOUND` for a missing blob.
 */
export function readBlob(source: ImageSource, descriptor: Descriptor): Readable {
  return Readable.from(content(source, descriptor), { objectMode: false, highWaterMark: PIECE })
}

/** The location of a blob. Throws `ERR_BLOB_NOT_FOUND` if it is missing, `ERR_SIZE_MISMATCH` for another size. */
export async function locateBlob(source: ImageSource, { digest, size }: Descriptor): Promise<FileRange> {
  const range = await source.locate(digest)
  if (!range) {
    const message = `blob ${digest} is missing in ${locationOf(source)}`
    throw new CaissonError('ERR_BLOB_NOT_FOUND', message, { path: source.path, phase: 'resolve' })
  }
  if (range.size !== size) throw sizeMismatch(digest, range.size, size, range.path)
  return range
}

async function* content(source: ImageSource, descriptor: Descriptor): AsyncGenerator<Buffer> {
  const { digest, size, data } = descriptor
  const algorithm = digest.slice(0, digest.indexOf(':'))
  if (!ALGORITHMS.has(algorithm)) {
    const message = `blob ${digest}: digest algorithm ${JSON.stringify(algorithm)} is not supported`
    throw new CaissonError('ERR_UNSUPPORTED_IMAGE', message, { path: source.path })
  }
  const hash = createHash(algorithm)
  const verify = (path: string): void => {
    const found = `${algorithm}:${hash.digest('hex')}`
    if (found === digest) return
    throw new CaissonError('ERR_DIGEST_MISMATCH', `blob ${digest} has the digest ${found}`, { path })
  }
  if (typeof data === 'string') {
    const embedded = Buffer.from(data, 'base64')
    if (embedded.length !== size) throw sizeMismatch(digest, embedded.length, size, source.path)
    hash.update(embedded)
    verify(source.path)
    yield embedded
    return
  }
  const range = await locateBlob(source, descriptor)
  let held: Buffer | undefined
  for await (const piece of pieces(range)) {
    hash.update(piece)
    if (held) yield held
    held = piece
  }
  verify(range.path)
  if (held) yield held
}

/** Reads a whole range of at most the size of a document: throws `ERR_LIMIT_EXCEEDED` before anything is read. */
export async function readRange(range: FileRange, subject: string = range.path): Promise<Buffer> {
  requireSize(subject, range.size, range.path)
  return readStart(range, range.size)
}

/** The first bytes of a range, at most `most`. */
export async function readStart(range: FileRange, most: number): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const piece of pieces({ ...range, size: Math.min(range.size, most) })) all.push(piece)
  return Buffer.concat(all)
}

async function* pieces({ path, offset, size }: FileRange): AsyncGenerator<Buffer> {
  const file = await open(path, 'r')
  try {
    for (let done = 0; done < size;) {
      const buffer = Buffer.allocUnsafe(Math.min(PIECE, size - done))
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset + done)
      if (bytesRead === 0) {
        throw new CaissonError('ERR_SIZE_MISMATCH', `${path} ended after ${done} of ${size} bytes`, { path })
      }
      done += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

function sizeMismatch(digest: string, found: number, expected: number, path: string): CaissonError {
  const message = `blob ${digest} has ${found} bytes, its descriptor says ${expected}`
  return new CaissonError('ERR_SIZE_MISMATCH', message, { path })
}
