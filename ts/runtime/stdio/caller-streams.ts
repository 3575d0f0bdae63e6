/** Streams of the caller's without a descriptor: their bytes go through pipes of ours. */
import { PassThrough, type Readable, type Writable } from 'node:stream'
import { transfer } from './transfer.ts'

export type StreamName = 'stdin' | 'stdout' | 'stderr'

/** One of the caller's streams failed. */
export type OnStreamFailure = (name: StreamName, cause: Error) => void

/** The other ends of a container's pipes. Made before the container, so that an early failure is seen. */
export class CallerStreams {
  /** Undefined where the caller gave no stream. */
  readonly stdin: PassThrough | undefined
  readonly stdout: PassThrough | undefined
  readonly stderr: PassThrough | undefined
  readonly #outputs: { from: PassThrough; target: Writable; passed: Promise<void> }[] = []

  constructor(
    [stdin, stdout, stderr]: readonly (Readable | Writable | undefined)[],
    onFailure: OnStreamFailure,
  ) {
    this.stdin = stdin && new PassThrough()
    if (stdin) {
      void transfer(stdin as Readable, this.stdin!).then((failure) => {
        // A program that does not read to the end is not at fault, nor is its input.
        if (failure?.side === 'source') onFailure('stdin', failure.cause)
      })
    }
    const output = (name: StreamName, target: Writable | undefined): PassThrough | undefined => {
      if (!target) return undefined
      const from = new PassThrough()
      const passed = transfer(from, target, { end: false }).then((failure) => {
        if (failure?.side === 'target') onFailure(name, failure.cause)
      })
      this.#outputs.push({ from, target, passed })
      return from
    }
    this.stdout = output('stdout', stdout as Writable)
    this.stderr = output('stderr', stderr as Writable)
  }

  /** Resolves when all that the program wrote has reached the caller's streams. */
  async passedOn(): Promise<void> {
    await Promise.all(this.#outputs.map(({ passed }) => passed))
  }

  /** The streams that output passes through. */
  outputs(): Writable[] {
    return this.#outputs.flatMap(({ from, target }) => [from, target])
  }

  /** There is no container. */
  close(): void {
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream?.destroy()
  }
}
