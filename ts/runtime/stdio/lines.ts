/** Lines of a stream. */
import { constants } from 'node:buffer'
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { setImmediate as turn } from 'node:timers/promises'

/** Milliseconds of lines until the event loop goes round. */
const SLICE = 10
/** Lines between two looks at the clock. */
const BATCH = 256

export interface LineOptions {
  encoding: BufferEncoding
  /** Most characters of one line. */
  limit: number
  /** Called once, for a line that is longer; there are no lines after it. */
  onOverflow: () => void
}

/**
 * Ends with the stream, also where that is destroyed. `\n`, `\r\n` and `\r` end a line. Leaving the iteration early
 * does not destroy the stream. (node:readline throws an uncaught RangeError when a line is longer than a string can
 * be.)
 */
export async function* lines(
  stream: Readable,
  { encoding, limit, onOverflow }: LineOptions,
): AsyncGenerator<string, void> {
  const most = Math.min(limit, constants.MAX_STRING_LENGTH)
  const decoder = new StringDecoder(encoding)
  // A list, as one string for each piece of a long line would be copied again and again.
  let pieces: string[] = []
  let length = 0
  let endsWithReturn = false
  let [begun, count] = [performance.now(), 0]
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      let text = decoder.write(chunk)
      if (text === '') continue
      if (endsWithReturn && text.startsWith('\n')) text = text.slice(1)
      endsWithReturn = text.endsWith('\r')
      for (const [index, piece] of text.split(/\r\n|\n|\r/).entries()) {
        if (index > 0) {
          yield pieces.join('')
          pieces = []
          length = 0
          // Lines that are there already come by microtasks alone: timers and sockets would wait for all of them.
          if (++count % BATCH === 0 && performance.now() - begun > SLICE) {
            await turn()
            begun = performance.now()
          }
        }
        length += piece.length
        if (length > most) return onOverflow()
        if (piece !== '') pieces.push(piece)
      }
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
  const last = decoder.end()
  if (length + last.length > 0) yield pieces.join('') + last
}
