/** The store's native side: importing layers, looking after snapshots, and locks, which Node has none of. */
import { close, closeSync } from 'node:fs'
import { promisify } from 'node:util'
import { addon } from './addon.ts'
import type { IdMaps, ImportRequest, UnpackOutcome } from './binding.d.ts'
import { errorFrom, isNativeError } from './failure.ts'
import { perform, type LayerOperation } from './layer.ts'

/** What became of each layer: null where its snapshot was there already. */
export async function importLayers(
  request: ImportRequest,
  operation: LayerOperation = {},
): Promise<(UnpackOutcome | null)[]> {
  const { layers } = await perform(operation, (job) => job.import(request))
  return layers.map((layer) => layer ?? null)
}

export interface SnapshotCheck {
  health: 'sound' | 'missing' | 'damaged'
  /** What is wrong with a damaged one. */
  reason: string | undefined
}

/** Compares a snapshot with what was recorded of it; with `contents` the bytes of its files, too. */
export async function checkSnapshot(
  store: string,
  chainId: string,
  contents: boolean,
  operation: LayerOperation = {},
): Promise<SnapshotCheck> {
  const { health, reason } = await perform(operation, (job) => job.verifySnapshot(store, chainId, contents))
  return { health: health as SnapshotCheck['health'], reason }
}

/**
 * Copies what a stack of layers shows to `target`, which appears complete or not at all. `idMaps`: whose the files are then.
 */
export async function flattenLayers(
  layers: readonly string[],
  target: string,
  operation: LayerOperation & { idMaps?: IdMaps | undefined } = {},
): Promise<void> {
  await perform(operation, async (job) => {
    const failure = await job.flatten([...layers], target, operation.idMaps)
    return failure ? { failure } : {}
  })
}

/** Removes what importers that died have left, also what belongs to ids of `idMaps`. */
export async function sweepIngest(store: string, idMaps?: IdMaps): Promise<void> {
  const failure = await new (addon().LayerJob)().sweepStore(store, idMaps)
  if (failure) throw errorFrom(failure)
}

/** A flock(2), held until it is closed, or until this process ends. */
export class FileLock implements Disposable {
  #descriptor: number | undefined

  /** Takes over an open descriptor that has the lock. */
  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  close(): void {
    const descriptor = this.#descriptor
    this.#descriptor = undefined
    if (descriptor !== undefined) closeSync(descriptor)
  }

  /** Closes it off the event loop: the last descriptor of a file that is gone makes the kernel free its blocks. */
  async closeAside(): Promise<void> {
    const descriptor = this.#descriptor
    this.#descriptor = undefined
    if (descriptor !== undefined) await promisify(close)(descriptor)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Waits for the lock of a store: `shared` with all who add to it, or `exclusive`. */
export async function lockStore(
  store: string,
  mode: 'shared' | 'exclusive',
  signal?: AbortSignal,
): Promise<FileLock> {
  const lock = await perform({ signal }, (job) => job.lockStore(store, mode === 'exclusive'))
  return new FileLock(lock.descriptor)
}

/** The lock of a directory, at once; undefined where somebody is in the way. Throws `ERR_NOT_FOUND`. */
export function tryLockDirectory(path: string, mode: 'shared' | 'exclusive'): FileLock | undefined {
  const lock = addon().tryLockDirectory(path, mode === 'exclusive')
  if (isNativeError(lock)) throw errorFrom(lock)
  return lock === null ? undefined : new FileLock(lock)
}
