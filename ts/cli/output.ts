/** Writing to descriptors 1 and 2 at once, so that nothing is lost when the process exits right afterwards. */
import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { visible } from '../visible.ts'

/** For people, and JSON: control characters are escaped. */
export function print(text: string): void {
  write(1, visible(text))
}

export function printError(text: string): void {
  write(2, visible(text))
}

/** Names of files as they are, for programs; escaped where stdout is a terminal. */
export function printNames(text: string): void {
  write(1, isatty(1) ? visible(text) : text)
}

/** Moves the cursor as `control` says, and shows `text` there. */
export function printControl(control: string, text = ''): void {
  write(2, control + visible(text))
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
