/** Reads documents of the host's file system. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { CaissonError, type ErrorCode } from '../../errors.ts'
import { MAX_DOCUMENT_BYTES } from '../limits.ts'

export interface SmallFileOptions {
  /** Bytes; 4 MiB. */
  limit?: number
  /** The error for anything but a regular file; `ERR_INVALID_IMAGE`. */
  code?: ErrorCode
}

/**
 * The whole content of a file. Throws errors of open(2), `code` for anything but a regular file, `ERR_LIMIT_EXCEEDED`
 * for more than `limit` bytes, and `ERR_CHANGED`.
 */
export async function readSmallFile(
  path: string,
  { limit = MAX_DOCUMENT_BYTES, code = 'ERR_INVALID_IMAGE' }: SmallFileOptions = {},
): Promise<Buffer> {
  // SECURITY: a FIFO would block a thread of the pool until a process writes to it.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  try {
    const status = await file.stat()
    if (!status.isFile()) {
      throw new CaissonError(code, `${path} is not a regular file`, { path })
    }
    requireSize(path, status.size, path, limit)
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
export function requireSize(
  subject: string,
  size: number,
  path: string = subject,
  limit: number = MAX_DOCUMENT_BYTES,
): void {
  if (size <= limit) return
  const message = `${subject} has ${size} bytes, more than ${limit}`
  throw new CaissonError('ERR_LIMIT_EXCEEDED', message, { path })
}
