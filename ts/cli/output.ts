/** Writing to descriptors 1 and 2 at once, so that nothing is lost when the process exits right afterwards. */
import { writeSync } from 'node:fs'

export function print(text: string): void {
  write(1, text)
}

export function printError(text: string): void {
  write(2, text)
}

function write(descriptor: number, text: string): void {
  writeAll(descriptor, Buffer.from(text))
}

/** `false`: there is no reader. Throws Node's error for anything else. */
export function writeAll(descriptor: number, bytes: Uint8Array): boolean {
  let rest = bytes
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE' || code === 'EBADF') return false
      if (code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5) // a full pipe that is non-blocking
    }
  }
  return true
}
