import type { Readable } from 'node:stream'

/** Discards what a stream without a reader holds, so that it ends. */
export function discardUnread(stream: Readable): void {
  if (stream.readableFlowing === null && stream.listenerCount('readable') === 0) stream.resume()
}
