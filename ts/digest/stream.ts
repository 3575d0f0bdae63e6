/** Digests of streams. */
import { abortionOf } from './abortion.ts'
import { asUint8Array, type Bytes } from './bytes.ts'
import type { DigestsOf } from './grammar.ts'
import { Digesters, namesOf, shaped, type Algorithms } from './several.ts'

/**
 * Any source of bytes (or strings, hashed as UTF-8) in chunks: `Readable`, `ReadableStream`, a generator, an array.
 */
export type ByteStream =
  AsyncIterable<string | Bytes> | Iterable<string | Bytes> | ReadableStream<string | Bytes>

export interface DigestStreamOptions {
  /** Aborts the reading; the stream is closed and the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined
  /** Called after every chunk with the number of bytes so far. */
  onProgress?: ((progress: { read: number }) => void) | undefined
}

/**
 * Larger chunks are hashed in parts of this size, with turns of the event loop in between: about a millisecond each.
 */
const PART = 1 << 20

/** Passes the chunks of a stream to `take`, none of them larger than {@link PART}. */
export async function eachPart(
  stream: ByteStream,
  { signal, onProgress }: DigestStreamOptions,
  take: (bytes: Uint8Array) => void,
): Promise<void> {
  signal?.throwIfAborted()
  const pieces = piecesOf(stream)
  const abortion = abortionOf(signal)
  let read = 0
  let ended = false
  try {
    for (;;) {
      const result = await abortion.race(pieces.next())
      if (result.done) break
      const bytes =
        typeof result.value === 'string' ? Buffer.from(result.value) : asUint8Array(result.value as Bytes)
      for (let at = 0; at < bytes.length; at += PART) {
        if (at > 0) await new Promise((resolve) => setImmediate(resolve))
        signal?.throwIfAborted()
        take(bytes.subarray(at, at + PART))
      }
      read += bytes.length
      onProgress?.({ read })
    }
    ended = true
  } finally {
    abortion.release()
    if (!ended) pieces.close()
  }
}

interface Pieces {
  next(): PromiseLike<{ done?: boolean | undefined; value?: unknown }> | { done?: boolean; value?: unknown }
  /** Ends the source early, even while a chunk is awaited. */
  close(): void
}

function piecesOf(stream: ByteStream): Pieces {
  // A failure to close is not reported: the earlier failure is.
  const unheard = (closing: unknown): void => void Promise.resolve(closing).catch(() => {})
  if ('getReader' in stream) {
    const reader = stream.getReader()
    return { next: () => reader.read(), close: () => unheard(reader.cancel()) }
  }
  if (!(Symbol.asyncIterator in stream) && (!(Symbol.iterator in stream) || typeof stream === 'string'))
    throw new TypeError('a stream is a Readable, a ReadableStream, or an iterable of bytes')
  const iterator = Symbol.asyncIterator in stream ? stream[Symbol.asyncIterator]() : stream[Symbol.iterator]()
  // The iterator of a Readable would wait for its next chunk before it returns.
  if ('destroy' in stream && typeof stream.destroy === 'function')
    return { next: () => iterator.next(), close: () => (stream as { destroy(): void }).destroy() }
  return { next: () => iterator.next(), close: () => unheard(iterator.return?.()) }
}

/**
 * The digest of a whole stream, or for a list of algorithms their digests in one pass. Rejects with the stream's own
 * error, the signal's reason, or {@link DigestError} `unsupported`; then the stream is closed.
 *
 * @example
 * ```ts
 * const { body } = await fetch(url)
 * const digest = await digestStream(body!)
 * ```
 */
export async function digestStream<const A extends Algorithms = 'sha256'>(
  stream: ByteStream,
  algorithms?: A,
  options?: DigestStreamOptions,
): Promise<DigestsOf<A>>
export async function digestStream(
  stream: ByteStream,
  algorithms: Algorithms = 'sha256',
  options: DigestStreamOptions = {},
): Promise<unknown> {
  const digesters = new Digesters(namesOf(algorithms))
  await eachPart(stream, options, (bytes) => digesters.update(bytes))
  return shaped(algorithms, digesters.digests())
}
