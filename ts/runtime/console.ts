/** The master of a container's terminal as a stream. */
import { readSync } from 'node:fs'
import { Duplex } from 'node:stream'
import { ReadStream } from 'node:tty'

/** More than a terminal holds: a program that goes on writing cannot keep us. */
const MOST = 1 << 20

/** What the program writes is read here; what is written here is typed there. */
export class Console extends Duplex {
  readonly #terminal: ReadStream
  /** The master's descriptor; owned by this stream. */
  readonly fd: number

  constructor(fd: number) {
    super()
    this.fd = fd
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
   * libuv ends a stream at the first short read after POLLHUP, and a terminal gives short reads with more behind them. The
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

  override _read(): void {
    this.#terminal.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#terminal.write(chunk, (error) => done(error))
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
