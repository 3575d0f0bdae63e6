/** Streams of the caller's without a descriptor: their bytes go through pipes of ours. */
import { PassThrough, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { WritableStream } from 'node:stream/web'
import { has } from '../../options.ts'
import { toReadable } from './input.ts'
import type { OutputTarget, StdioPlan } from './stdio.ts'
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
  readonly #outputs: { target: Writable; ended: Promise<void> }[] = []

  constructor([stdin, stdout, stderr]: StdioPlan['connect'], onFailure: OnStreamFailure) {
    if (stdin) {
      this.stdin = new PassThrough()
      void transfer(toReadable(stdin), this.stdin).then((failure) => {
        // A program that does not read to the end is not at fault, nor is its input.
        if (failure?.side === 'source') onFailure('stdin', failure.cause)
      })
    }
    const targets = [stdout, stderr].map((target) => target && toWritable(target))
    if (stdout !== undefined && stdout === stderr) targets[1] = targets[0]
    const sources = targets.map((target) => target && new PassThrough())
    ;[this.stdout, this.stderr] = sources
    for (const target of new Set(targets)) {
      if (!target) continue
      const passed = sources.map(async (from, index) => {
        if (!from || targets[index] !== target) return
        const failure = await transfer(from, target, { end: false })
        if (failure?.side === 'target') onFailure(index === 0 ? 'stdout' : 'stderr', failure.cause)
      })
      this.#outputs.push({ target, ended: Promise.all(passed).then(() => end(target)) })
    }
  }

  /** Resolves when the caller's streams have taken all that the program wrote, and its end. */
  async passedOn(): Promise<void> {
    await Promise.all(this.#outputs.map(({ ended }) => ended))
  }

  /** The streams that output passes through. */
  outputs(): (Writable | undefined)[] {
    return [this.stdout, this.stderr, ...this.#outputs.map(({ target }) => target)]
  }

  /** There is no container. */
  close(): void {
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream?.destroy()
  }
}

/** This process's own output, which has no descriptor in a worker thread, goes on. */
async function end(target: Writable): Promise<void> {
  if (target === process.stdout || target === process.stderr) return
  target.end()
  await finished(target, { readable: false }).catch(() => {}) // reported where it was written to
}

function toWritable(target: OutputTarget): Writable {
  return has(target, 'write', 'on') ? (target as Writable) : Writable.fromWeb(target as WritableStream)
}
