/** Reads documents of the host's file system. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { CaissonError } from '../../errors.ts'
import { MAX_DOCUMENT_BYTES } from '../limits.ts'

/**
 * The whole content of a file. Throws errors of open(2), `ERR_INVALID_IMAGE` for anything but a regular file, and
 * `ERR_LIMIT_EXCEEDED` for more than 4 MiB.
 */
export async function readSmallFile(path: string): Promise<Buffer> {
  // SECURITY: a FIFO would block a thread of the pool until a process writes to it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  try {
    const status = await file.stat()
    if (!status.isFile()) {
      throw new CaissonError('ERR_INVALID_IMAGE', `${path} is not a regular file`, { path })
    }
    requireSize(path, status.size)
    const buffer = Buffer.alloc(status.size + 1)
    let size = 0
    for (;;) {
      const { bytesRead } = await file.read(buffer, size, buffer.length - size, size)
      if (bytesRead === 0) return buffer.subarray(0, size)
      size += bytesRead
      if (size === buffer.length) {
        throw new CaissonError('ERR_CHANGED', `${path} grew while it was read`, { path })
      }
    }
  } finally {
    await file.close()
  }
}

/** Throws `ERR_LIMIT_EXCEEDED`. */
export function requireSize(subject: string, size: number, path: string = subject): void {
  if (size <= MAX_DOCUMENT_BYTES) return
  const message = `${subject} has ${size} bytes, more than ${MAX_DOCUMENT_BYTES}`
  throw new CaissonError('ERR_LIMIT_EXCEEDED', message, { path })
}
