/** Readers that take nothing. */
import type { Duplex, Readable, Writable } from 'node:stream'

/** Milliseconds without a byte moving after which the reader of a program that was ended is given up. */
const PATIENCE = 2000
const INTERVAL = 250

type Stream = Readable | Writable | null | undefined

/**
 * Aborted once no byte has moved through the streams for two seconds. `done` ends the watch.
 */
export function stalled(streams: readonly Stream[], done: AbortSignal): AbortSignal {
  const controller = new AbortController()
  let [seen, unchanged] = ['', 0]
  const look = (): void => {
    const now = streams.map(fill).join()
    unchanged = now === seen ? unchanged + INTERVAL : 0
    seen = now
    if (unchanged < PATIENCE) return
    clearInterval(timer)
    controller.abort()
  }
  const timer = setInterval(look, INTERVAL)
  done.addEventListener('abort', () => clearInterval(timer), { once: true })
  return controller.signal
}

/** What changes whenever a byte moves. */
function fill(stream: Stream): string {
  if (!stream) return ''
  const { bytesRead, readableLength, writableLength, destroyed } = stream as Duplex & { bytesRead?: number }
  return `${bytesRead} ${readableLength} ${writableLength} ${destroyed}`
}
