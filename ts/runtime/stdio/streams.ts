/** Our ends of a container's streams: made into Node streams when first asked for, closed with the container. */
import type { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { closeDescriptor } from '../../native/descriptor.ts'
import type { NativeCreated } from '../../native/engine.ts'
import { Console } from './console.ts'
import { readablePipe, writablePipe } from './stdio.ts'
import { discardUnread } from './unread.ts'

type Name = 'stdin' | 'stdout' | 'stderr' | 'console'

export class Streams {
  readonly #descriptors: Map<Name, number>
  readonly #streams = new Map<Name, Socket | Console>()
  #alive = false

  constructor(created?: NativeCreated) {
    const names = ['stdin', 'stdout', 'stderr', 'console'] as const
    const given = names.map((name) => [name, created?.[name]] as const)
    this.#descriptors = new Map(
      given.filter((entry): entry is [Name, number] => typeof entry[1] === 'number'),
    )
  }

  get stdin(): Writable | null {
    return this.#open('stdin', writablePipe)
  }

  get stdout(): Readable | null {
    return this.#open('stdout', (fd) => this.#kept(readablePipe(fd)))
  }

  get stderr(): Readable | null {
    return this.#open('stderr', (fd) => this.#kept(readablePipe(fd)))
  }

  get console(): Console | null {
    return this.#open('console', (fd) => this.#kept(new Console(fd)))
  }

  /** Takes a descriptor away, to be handed on; the caller owns it then. */
  take(name: Name): number | undefined {
    const fd = this.#descriptors.get(name)
    this.#descriptors.delete(name)
    return fd
  }

  /** From now on open output keeps Node alive, as that of a child process does. */
  ref(): void {
    this.#alive = true
    for (const [name, stream] of this.#streams) if (name !== 'stdin') stream.ref()
  }

  unref(): void {
    this.#alive = false
    for (const stream of this.#streams.values()) stream.unref()
  }

  /** The container is gone. What was asked for can be read to its end, the rest is closed. */
  close(): void {
    for (const fd of this.#descriptors.values()) closeDescriptor(fd)
    this.#descriptors.clear()
    for (const [name, stream] of this.#streams) {
      if (name === 'stdin') stream.destroy()
      else {
        discardUnread(stream)
        endWhenIdle(stream)
      }
    }
  }

  #open<T extends Socket | Console>(name: Name, make: (fd: number) => T): T | null {
    const fd = this.take(name)
    if (fd !== undefined) this.#streams.set(name, make(fd))
    const stream = this.#streams.get(name) as T | undefined
    return stream ?? null
  }

  #kept<T extends Socket | Console>(stream: T): T {
    if (this.#alive) stream.ref()
    return stream
  }
}

/** Milliseconds without a byte after which the output of a container that is gone is complete. */
const IDLE = 1000

/**
 * The container's processes are dead, and what they wrote is there to read. A process elsewhere with a descriptor of
 * the pipe, inherited or from a socket, must not keep the reader.
 */
function endWhenIdle(stream: Socket | Console): void {
  let seen = -1
  const look = (): void => {
    const { bytesRead, readableLength, readableFlowing, destroyed } = stream
    if (destroyed || (bytesRead === seen && readableLength === 0 && readableFlowing === true)) {
      clearInterval(timer)
      stream.destroy()
    }
    seen = bytesRead
  }
  const timer = setInterval(look, IDLE).unref()
}
