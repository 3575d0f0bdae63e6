/** Paths of the host, as options name them. */
import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { CaissonError } from '../errors.ts'

/**
 * Absolute. Throws `ERR_INVALID_OPTION`. An empty path is a variable that nobody set, never the working directory, which
 * would be packed, or removed.
 */
export function hostPath(path: string, what: string): string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return resolve(path)
  const found = typeof path === 'string' ? JSON.stringify(path) : typeof path
  throw new CaissonError('ERR_INVALID_OPTION', `${what} must be a path, not ${found}`, { phase: 'validate' })
}

/**
 * Makes a directory and those above it; the answer is the first that was made, undefined where all are there. The
 * recursive `mkdir` of Node never ends where the kernel answers ENOENT below a directory that exists, as in /proc.
 */
export async function makeDirectories(path: string, mode?: number): Promise<string | undefined> {
  if (await isDirectory(path)) return undefined
  const first = dirname(path) === path ? undefined : await makeDirectories(dirname(path), mode)
  try {
    await mkdir(path, mode)
    return first ?? path
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && (await isDirectory(path))) return first // somebody else made it
    throw systemError(error, 'make', path)
  }
}

/** What Node says of a failed call, with what it was to do; not all of its errors name a path. */
export function systemError(cause: unknown, what: string, path: string): unknown {
  const { code, syscall, message } = cause as NodeJS.ErrnoException
  if (code === undefined || syscall === undefined) return cause
  const why = /^[A-Z0-9]+: ([^,]+)/.exec(message)?.[1] ?? message
  return new CaissonError('ERR_SYSCALL', `cannot ${what} ${path}: ${code} (${why})`, {
    syscall,
    errno: code,
    path,
    cause,
  })
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  )
}
