/** Hashing on native threads: files, descriptors and large buffers. The addon is loaded by the first call. */
import { addon } from './addon.ts'
import type { DigestJob, DigestOutcome, NativeHasher } from './binding.d.ts'
import { errorFrom } from './failure.ts'

export type { NativeHasher } from './binding.d.ts'

/** Progress of a pass. */
export interface HashProgress {
  /** Bytes read so far. */
  read: number
  /** Size in bytes, if known: a pipe has none, and a file may grow. */
  total?: number
}

/** How to watch and abort a pass. */
export interface HashOperation {
  signal?: AbortSignal | undefined
  /** Called about ten times a second while it runs, and once at its end. */
  onProgress?: ((progress: HashProgress) => void) | undefined
}

/** The bytes of a path, an open descriptor, or bytes in memory. */
export type HashSource = { path: Uint8Array } | { descriptor: number } | { bytes: Uint8Array }

const PROGRESS_INTERVAL = 100 // milliseconds

/** The digests for all algorithms in one pass, in order. Throws `ERR_SYSCALL`, and the signal's reason. */
export async function hashOnThread(
  source: HashSource,
  algorithms: readonly string[],
  { signal, onProgress }: HashOperation = {},
): Promise<string[]> {
  signal?.throwIfAborted()
  const job = new (addon().DigestJob)()
  const stop = (): void => job.stop()
  signal?.addEventListener('abort', stop, { once: true })
  const timer = onProgress && setInterval(() => onProgress(job.progress()), PROGRESS_INTERVAL)
  try {
    const { failure, digests } = await start(job, source, [...algorithms])
    // The signal's own reason, as everywhere in Node.
    if (failure?.code === 'ERR_ABORTED') signal?.throwIfAborted()
    if (failure) throw errorFrom(failure)
    onProgress?.(job.progress())
    return digests
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', stop)
  }
}

function start(job: DigestJob, source: HashSource, algorithms: string[]): Promise<DigestOutcome> {
  if ('path' in source) return job.file(source.path, algorithms)
  if ('descriptor' in source) return job.descriptor(source.descriptor, algorithms)
  return job.bytes(source.bytes, algorithms)
}

/** A hasher of the addon, for an algorithm that Node's crypto module lacks. */
export function nativeHasher(algorithm: string): NativeHasher {
  return new (addon().NativeHasher)(algorithm)
}
