/** Writing to descriptors 1 and 2 at once, so that nothing is lost when the process exits right afterwards. */
import { writeSync } from 'node:fs'

export function print(text: string): void {
  write(1, text)
}

export function printError(text: string): void {
  write(2, text)
}

function write(descriptor: number, text: string): void {
  let rest: Uint8Array = Buffer.from(text)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE' || code === 'EBADF') return // nobody reads
      if (code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5) // a full pipe that somebody made non-blocking
    }
  }
}
