import type { Readable } from 'node:stream'

/** Lets go what a stream holds, if nobody reads it: it ends then, and with it whatever waits for its end. */
export function discardUnread(stream: Readable): void {
  if (stream.readableFlowing === null && stream.listenerCount('readable') === 0) stream.resume()
}
