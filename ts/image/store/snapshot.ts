/** A stack of layers in use, which garbage collection keeps. */
import { existsSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { explainErrors } from '../../boundary.ts'
import { CaissonError } from '../../errors.ts'
import { tryLockDirectory, type FileLock } from '../../native/lock.ts'
import { layerPath, readRecord, snapshotPath } from './snapshot-files.ts'

/**
 * An open snapshot with those below it, shared with other users. `close()` (or `using`) releases it, and so does the
 * end of the process.
 *
 * @example
 * ```ts
 * using snapshot = await store.snapshot(chainId)
 * console.log(snapshot.layers) // directories for lowerdir=, the top one first
 * ```
 */
export class Snapshot implements Disposable {
  /** Absolute path of the store. */
  readonly store: string
  /** ChainID of the whole stack. */
  readonly chainId: string
  /** ChainIDs of its layers, top first. */
  readonly chainIds: readonly string[]
  readonly #lock: FileLock
  #closed: (() => void) | undefined

  /** @internal */
  constructor(store: string, chainIds: readonly string[], lock: FileLock) {
    this.store = store
    this.chainIds = chainIds
    this.chainId = chainIds[0]!
    this.#lock = lock
  }

  /** Absolute layer directories in the form of overlayfs, top first. Never write to them. */
  get layers(): string[] {
    return this.chainIds.map((chainId) => join(this.store, layerPath(chainId)))
  }

  /** @internal Called once, when it is closed. */
  onClose(closed: () => void): void {
    this.#closed = closed
  }

  close(): void {
    this.#lock.close()
    this.#closed?.()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
explainErrors(Snapshot)

/**
 * Opens a snapshot if it exists and is not about to be removed. `chainIds`, top first, are passed if they are known;
 * otherwise they are read.
 */
export function tryOpenSnapshot(
  store: string,
  chainId: string,
  chainIds?: readonly string[],
): Snapshot | undefined {
  const path = join(store, snapshotPath(chainId))
  let lock: FileLock | undefined
  try {
    lock = tryLockDirectory(path, 'shared')
  } catch (error) {
    if (error instanceof CaissonError && error.code === 'ERR_NOT_FOUND') return undefined
    throw error
  }
  if (!lock) return undefined
  try {
    const now = new Date()
    utimesSync(path, now, now) // the time of last use
    const chain = chainIds ?? chainOf(store, chainId)
    // One below may have been damaged and removed.
    if (chain.every((id) => existsSync(join(store, layerPath(id))))) return new Snapshot(store, chain, lock)
    lock.close()
    return undefined
  } catch (error) {
    lock.close()
    throw error
  }
}

/** The chainIDs of a snapshot and those below it. */
export function chainOf(store: string, chainId: string): string[] {
  const chain: string[] = []
  for (let next: string | null | undefined = chainId; next;) {
    const record = readRecord(store, next)
    if (!record || chain.includes(next)) {
      throw new CaissonError('ERR_INVALID_IMAGE', `snapshot ${next} in ${store} is damaged`, {
        path: join(store, snapshotPath(next)),
        hint: 'repair the store: caisson store repair',
      })
    }
    chain.push(next)
    next = record.parent
  }
  return chain
}
