/** Keeps what a stream yields, up to a limit. */
import type { Readable } from 'node:stream'

export class Collector {
  readonly #chunks: Buffer[] = []
  #length = 0

  constructor(stream: Readable, limit: number, onOverflow: () => void) {
    stream.on('data', (chunk: Buffer) => {
      const room = limit - this.#length
      if (room <= 0 && chunk.length > 0) return onOverflow()
      this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk)
      this.#length += Math.min(chunk.length, room)
      if (chunk.length > room) onOverflow()
    })
  }

  output(encoding: BufferEncoding | 'buffer'): string | Buffer {
    const bytes = Buffer.concat(this.#chunks, this.#length)
    return encoding === 'buffer' ? bytes : bytes.toString(encoding)
  }
}
