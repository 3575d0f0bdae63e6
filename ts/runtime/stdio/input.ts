/** What a program may read from its caller: Node's streams, those of the web, and whatever yields strings or bytes. */
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { has } from '../../options.ts'

type Chunk = string | Uint8Array
export type InputStream = Readable | ReadableStream<Chunk> | AsyncIterable<Chunk> | Iterable<Chunk>

export function isInputStream(value: unknown): value is InputStream {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false
  return isReadable(value) || Symbol.asyncIterator in value || Symbol.iterator in value
}

/** A failure, such as a locked stream, is an error of the result. Destroying it cancels a stream of the web. */
export function toReadable(input: InputStream): Readable {
  return isReadable(input) ? input : Readable.from(chunks(input as AsyncIterable<Chunk>))
}

/** Looks at what it iterates when it is first read. */
async function* chunks(input: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
  yield* input
}

/** Also of another copy of node:stream. (A Writable has `pipe`, too.) */
function isReadable(value: object): value is Readable {
  return has(value, 'read', 'on')
}
