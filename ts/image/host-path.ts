/** Host paths in options. */
import { mkdirSync, statSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { CaissonError, systemError } from '../errors.ts'

/**
 * The absolute path. Throws `ERR_INVALID_OPTION`. An empty path is an unset variable, not the working directory, which
 * would be packed or removed.
 */
export function hostPath(path: string, what: string): string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return resolve(path)
  const found = typeof path === 'string' ? JSON.stringify(path) : typeof path
  throw new CaissonError('ERR_INVALID_OPTION', `invalid ${what} ${found}: expected a path`, {
    phase: 'validate',
  })
}

/**
 * Creates a directory and its parents; resolves with the first one that was created, undefined if all exist. Node's
 * recursive `mkdir` never ends if the kernel returns ENOENT below an existing directory, as in /proc.
 */
export async function makeDirectories(
  path: string,
  mode?: number,
  hint?: string,
): Promise<string | undefined> {
  if (await isDirectory(path)) return undefined
  const first = dirname(path) === path ? undefined : await makeDirectories(dirname(path), mode, hint)
  try {
    await mkdir(path, mode)
    return first ?? path
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && (await isDirectory(path))) return first // created by another process
    throw systemError(`cannot make ${path}`, error, hint === undefined ? {} : { hint })
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  )
}

/** Like `makeDirectories`, synchronously. Throws Node's errors. */
export function makeDirectoriesSync(path: string, mode?: number): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  if (dirname(path) !== path) makeDirectoriesSync(dirname(path), mode)
  try {
    mkdirSync(path, mode)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
    throw error
  }
}
