/** The master of a container's terminal as a stream. */
import { readSync, writeSync } from 'node:fs'
import { Duplex } from 'node:stream'
import { ReadStream } from 'node:tty'

/** More than a terminal holds: a program that goes on writing cannot keep us. */
const MOST = 1 << 20

/** Milliseconds between two tries to write to a full terminal. */
const LONGEST_DELAY = 50

/** Ctrl-D, which the line discipline takes for VEOF (termios(3)). */
const END = 0x04
const NEWLINE = 0x0a

/** What the program writes is read here; what is written here is typed there, and its end is Ctrl-D. */
export class Console extends Duplex {
  readonly #terminal: ReadStream
  /** The master's descriptor; owned by this stream. */
  readonly fd: number
  #lastTyped = NEWLINE

  constructor(fd: number) {
    super()
    this.fd = fd
    this.on('error', () => {}) // EIO: the program uses its terminal no more, which is its right
    this.#terminal = new ReadStream(fd)
    this.#terminal.unref()
    this.#terminal.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) this.#terminal.pause()
    })
    this.#terminal.on('end', () => {
      this.#readRest()
      this.push(null)
    })
    // The last user of the terminal has gone: Linux says EIO where a pipe would say end of file.
    this.#terminal.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EIO') this.push(null)
      else this.destroy(error)
    })
    this.#terminal.on('close', () => this.push(null))
  }

  /**
   * libuv ends a stream at the first short read after POLLHUP, and a terminal gives short reads with more to come. The
   * descriptor is non-blocking and still open here.
   */
  #readRest(): void {
    for (let rest = MOST; rest > 0;) {
      const chunk = Buffer.allocUnsafe(4096)
      let count
      try {
        count = readSync(this.fd, chunk)
      } catch {
        return // EIO: the end; EAGAIN: the terminal was opened again, after its end
      }
      if (count === 0) return
      this.push(chunk.subarray(0, count))
      rest -= count
    }
  }

  get bytesRead(): number {
    return this.#terminal.bytesRead
  }

  override _read(): void {
    this.#terminal.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#lastTyped = chunk.at(-1) ?? this.#lastTyped
    this.#send(chunk, done)
  }

  /** Within a line the first Ctrl-D only hands over what was typed. */
  override _final(done: (error?: Error | null) => void): void {
    const startsLine = this.#lastTyped === NEWLINE || this.#lastTyped === END
    this.#send(Buffer.from(startsLine ? [END] : [END, END]), done)
  }

  /**
   * libuv would write to a master with a blocking write(2) on the event loop: a program that does not read its terminal
   * would stop the whole process. The descriptor is non-blocking, and no event says that it has room again.
   */
  #send(rest: Buffer, done: (error?: Error | null) => void, delay = 1): void {
    if (this.destroyed) return done()
    let left = rest
    try {
      while (left.length > 0) left = left.subarray(writeSync(this.fd, left))
      done()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return done(error as Error)
      const next = left.length < rest.length ? 1 : Math.min(delay * 2, LONGEST_DELAY)
      setTimeout(() => this.#send(left, done, next), delay).unref()
    }
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#terminal.destroy()
    done(error)
  }

  ref(): this {
    this.#terminal.ref()
    return this
  }

  unref(): this {
    this.#terminal.unref()
    return this
  }
}
