/** Layers: coarse native operations, each on its own native thread; an AbortSignal aborts them. */
import type { CaissonError } from '../errors.ts'
import { addon } from './addon.ts'
import type { HostFile, IdMaps, LayerJob, LayerLimits, UnpackOutcome, UnpackRequest } from './binding.d.ts'
import { errorFrom } from './failure.ts'

export type { HostFile, IdMaps, LayerBlob, SkippedEntry, UnpackRequest } from './binding.d.ts'

/** Progress of an operation. */
export interface LayerProgress {
  /** Compressed bytes read so far. */
  read: number
  /** Archive entries applied so far. */
  entries: number
}

/** How to watch and abort an operation. */
export interface LayerOperation {
  signal?: AbortSignal | undefined
  /** Called about ten times a second while the operation runs, and once at its end. */
  onProgress?: ((progress: LayerProgress) => void) | undefined
  /** Limits on what it may read; undefined for the defaults. */
  limits?: { readonly [name in keyof LayerLimits]?: number | undefined } | undefined
}

export interface UserIds {
  uid: number
  gid: number
  additionalGids: number[]
  /** Home directory in the image's passwd file, if it has one. */
  home: string | undefined
}

const PROGRESS_INTERVAL = 100 // milliseconds

/** Verifies and unpacks layers into `request.target`, or leaves nothing behind. */
export async function unpackLayers(
  request: UnpackRequest,
  operation: LayerOperation = {},
): Promise<Omit<UnpackOutcome, 'failure'>> {
  return perform(operation, (job) => job.unpack(request))
}

/** Programs of this host (names to look up in `search`, or absolute paths) with the libraries that they need. */
export async function hostFiles(programs: readonly string[], search: readonly string[]): Promise<HostFile[]> {
  const { files } = await perform({}, (job) => job.hostFiles([...programs], [...search]))
  return files
}

/**
 * Removes a directory with its content at any depth; links are not followed. `idMaps` are those of unpacking, for
 * directories that belong to mapped ids.
 */
export async function removeTree(path: string, idMaps?: IdMaps): Promise<void> {
  const failure = await new (addon().LayerJob)().remove(path, idMaps)
  if (failure) throw errorFrom(failure)
}

/**
 * Resolves `spec` (the `User` of an image) below `roots`: one root file system, or layers, top first. Links are
 * resolved inside. Throws `ERR_INVALID_IMAGE`.
 */
export function lookUpUser(roots: readonly string[], spec: string): UserIds {
  const { failure, uid, gid, additionalGids, home } = addon().lookUpUser([...roots], spec)
  if (failure) throw errorFrom(failure)
  return { uid, gid, additionalGids, home }
}

/** Starts a job, watches its signal, reports its progress, and throws its failure. */
export async function perform<T extends { failure?: Parameters<typeof errorFrom>[0] }>(
  { signal, onProgress, limits = {} }: LayerOperation,
  start: (job: LayerJob) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  // The native side recognises a missing value only by its absence, not by undefined.
  const said = Object.entries(limits).filter(([, value]) => value !== undefined)
  const job = new (addon().LayerJob)(Object.fromEntries(said))
  const stop = (): void => job.stop()
  signal?.addEventListener('abort', stop, { once: true })
  const thrown: unknown[] = []
  // An exception of the callback ends the operation, not the process.
  const report = (): void => {
    try {
      onProgress?.(job.progress())
    } catch (error) {
      thrown.push(error)
      job.stop()
    }
  }
  const timer = onProgress && setInterval(report, PROGRESS_INTERVAL)
  try {
    const outcome = await start(job)
    if (thrown.length > 0) throw thrown[0]
    if (!outcome.failure) {
      onProgress?.(job.progress())
      return outcome
    }
    // The signal's own reason, as everywhere in Node.
    if (outcome.failure.code === 'ERR_ABORTED') signal?.throwIfAborted()
    throw errorFrom(outcome.failure) satisfies CaissonError
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', stop)
  }
}
