/** Bytes from one stream to another, without losing the end of either: what the ends of a pipe(2) do by themselves. */
import type { Readable, Writable } from 'node:stream'

export interface TransferFailure {
  side: 'source' | 'target'
  cause: Error
}

export interface TransferOptions {
  /** Whether the end of the source ends the target. */
  end?: boolean
  /** Whether an error of the target destroys the source with that error. */
  passError?: boolean
}

/**
 * Passes on until the source ends or one side is gone. A target that is gone destroys the source (unless it is
 * `process.stdin`). Resolves with what failed and never rejects; until then an error of either side is handled.
 */
export function transfer(
  source: Readable,
  target: Writable,
  { end = true, passError = false }: TransferOptions = {},
): Promise<TransferFailure | undefined> {
  return new Promise((resolve) => {
    const stop = (failure?: TransferFailure): void => {
      source.off('data', take).off('end', finish).off('close', cut).off('error', fail)
      target.off('drain', proceed).off('close', lose).off('error', dropWith)
      // What is destroyed may still report an error.
      for (const stream of [source, target]) if (stream.destroyed) stream.on('error', ignore)
      resolve(failure)
    }
    /** The source has given all. */
    const finish = (failure?: TransferFailure): void => {
      if (end) target.end()
      stop(failure)
    }
    const fail = (cause: Error): void => finish({ side: 'source', cause })
    const cut = (): void => fail(source.errored ?? prematureClose())
    /** There is no target any more. */
    const drop = (failure?: TransferFailure): void => {
      if (source === process.stdin) source.pause()
      else source.destroy(passError ? failure?.cause : undefined)
      stop(failure)
    }
    const lose = (): void => drop()
    const dropWith = (cause: Error): void => drop({ side: 'target', cause })
    const take = (chunk: unknown): void => {
      try {
        if (!target.write(chunk)) source.pause()
      } catch (cause) {
        // Not a chunk that can be written, as from a stream of objects.
        source.destroy()
        fail(cause as Error)
      }
    }
    const proceed = (): void => void source.resume()

    if (target.destroyed) return drop(target.errored ? { side: 'target', cause: target.errored } : undefined)
    if (source.errored) return fail(source.errored)
    if (source.readableEnded) return finish()
    if (source.destroyed) return fail(prematureClose())
    source.on('error', fail).on('end', finish).on('close', cut)
    target.on('error', dropWith).on('drain', proceed).on('close', lose)
    source.on('data', take)
  })
}

function ignore(): void {}

/** As node:stream has it. */
function prematureClose(): Error {
  return Object.assign(new Error('Premature close'), { code: 'ERR_STREAM_PREMATURE_CLOSE' })
}
