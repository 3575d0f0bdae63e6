/** Digests of files, and of buffers too large to hash on the event loop. */
import type { FileHandle } from 'node:fs/promises'
import { called } from '../boundary.ts'
import { CaissonError, SpecError } from '../errors.ts'
import { hashOnThread, type HashOperation } from '../native/digest.ts'
import { asUint8Array, type Bytes } from './bytes.ts'
import type { DigestsOf } from './grammar.ts'
import { areNative, namesOf, shaped, type Algorithms } from './several.ts'
import { digestStream } from './stream.ts'

/** A path (a string, its bytes, or a `file:` URL), an open descriptor, or a `FileHandle`. */
export type DigestibleFile = string | Uint8Array | URL | number | FileHandle | { readonly fd: number }

/** How to watch and abort the work. */
export type DigestFileOptions = HashOperation

/**
 * The digest of a file, or for a list of algorithms their digests in one pass. The file is read and hashed on a native
 * thread; any number of files may be in progress, on as many threads as there are processors. A descriptor is read from
 * its current position; it may be closed as soon as this has returned its promise.
 *
 * Pipes, terminals and devices are read to their end, however long that takes; the signal ends the wait. Rejects with
 * `ERR_SYSCALL` (`errno` is `ENOENT`, `EISDIR`, …), the signal's reason, {@link DigestError} `unsupported`, and
 * `ERR_INVALID_OPTION` for anything but a file.
 *
 * @example
 * ```ts
 * const digest = await digestFile('layer.tar.gz')
 * const [short, long] = await digestFile('layer.tar.gz', ['sha256', 'sha512'])
 * ```
 */
export function digestFile<const A extends Algorithms = 'sha256'>(
  file: DigestibleFile,
  algorithms?: A,
  options?: DigestFileOptions,
): Promise<DigestsOf<A>>
export function digestFile(
  file: DigestibleFile,
  algorithms: Algorithms = 'sha256',
  options: DigestFileOptions = {},
): Promise<unknown> {
  return called(digestFile, async () => {
    const names = namesOf(algorithms)
    const source = sourceOf(file)
    const digests = areNative(names)
      ? await hashOnThread(source, names, options)
      : await digestInProgram(source, names, options)
    return shaped(algorithms, digests)
  })
}

/**
 * {@link digestBytes} on a native thread, for large buffers, with one algorithm or a list. Until the promise settles
 * the bytes must not be changed or transferred.
 */
export function digestBytesAsync<const A extends Algorithms = 'sha256'>(
  data: Bytes,
  algorithms?: A,
  options?: DigestFileOptions,
): Promise<DigestsOf<A>>
export function digestBytesAsync(
  data: Bytes,
  algorithms: Algorithms = 'sha256',
  options: DigestFileOptions = {},
): Promise<unknown> {
  return called(digestBytesAsync, async () => {
    const names = namesOf(algorithms)
    const bytes = asUint8Array(data)
    const digests = areNative(names)
      ? await hashOnThread({ bytes }, names, options)
      : await digestStream([bytes], names, options)
    return shaped(algorithms, digests)
  })
}

type Source = { path: Uint8Array } | { descriptor: number }

function sourceOf(file: DigestibleFile): Source {
  if (typeof file === 'string' && file !== '' && !file.includes('\0')) return { path: Buffer.from(file) }
  if (file instanceof URL) return { path: Buffer.from(pathOf(file)) }
  if (file instanceof Uint8Array && file.length > 0 && !file.includes(0)) return { path: file }
  const descriptor = typeof file === 'object' && file !== null && 'fd' in file ? file.fd : file
  if (Number.isInteger(descriptor) && (descriptor as number) >= 0 && (descriptor as number) < 2 ** 31)
    return { descriptor: descriptor as number }
  throw invalidFile()
}

function pathOf(url: URL): string {
  try {
    return process.getBuiltinModule('node:url').fileURLToPath(url)
  } catch (cause) {
    throw invalidFile(cause)
  }
}

function invalidFile(cause?: unknown): SpecError {
  const message = 'must be a path without zero bytes, a file: URL, an open descriptor or a FileHandle'
  return new SpecError('ERR_INVALID_OPTION', 'digestFile', [{ path: 'file', message }], { cause })
}

/** If only the program itself implements an algorithm, Node reads the file. */
async function digestInProgram(
  source: Source,
  names: readonly string[],
  { signal, onProgress }: DigestFileOptions,
): Promise<string[]> {
  const { createReadStream, fstatSync } = process.getBuiltinModule('node:fs')
  const path = 'path' in source ? Buffer.from(source.path) : undefined
  const from = 'path' in source ? {} : { fd: source.descriptor, autoClose: false }
  let total = 0
  const stream = createReadStream(path ?? '', { ...from, highWaterMark: 1 << 20 })
  stream.on('open', (fd: number) => (total = fstatSync(fd).size))
  const report = onProgress && ((at: { read: number }) => onProgress(total > 0 ? { ...at, total } : at))
  try {
    if ('descriptor' in source) total = fstatSync(source.descriptor).size // opened by another
    return await digestStream(stream, names, { signal, onProgress: report })
  } catch (error) {
    throw asSystemError(error, path?.toString())
  }
}

function asSystemError(error: unknown, path?: string): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException
  if (syscall === undefined || code === undefined) return error
  return new CaissonError('ERR_SYSCALL', message, { syscall, errno: code, path, cause: error })
}
