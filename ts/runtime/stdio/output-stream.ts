/** Where a program's output is read. */
import { PassThrough, type Writable } from 'node:stream'

/**
 * A reader that goes away is not waited for: without another one the program gets EPIPE, as with a closed pipe.
 * (`pipe()` alone would pause the stream for ever.)
 */
export class OutputStream extends PassThrough {
  readonly #readers = new Set<Writable>()

  override pipe<T extends NodeJS.WritableStream>(target: T, options?: { end?: boolean }): T {
    super.pipe(target, options)
    const reader = target as unknown as Writable
    this.#readers.add(reader)
    // Without an entry it was unpiped by the caller, who has other plans.
    const lost = (): void => void (this.#readers.delete(reader) && this.#lost())
    reader.once('close', lost)
    this.once('close', () => reader.off('close', lost))
    return target
  }

  override unpipe(target?: NodeJS.WritableStream): this {
    const reader = target as unknown as Writable | undefined
    if (!reader) this.#readers.clear()
    else if (!reader.destroyed) this.#readers.delete(reader)
    return super.unpipe(target)
  }

  #lost(): void {
    if (this.#readers.size > 0 || this.readableEnded) return
    if (this.listenerCount('data') + this.listenerCount('readable') > 0) this.resume()
    else this.destroy()
  }
}
