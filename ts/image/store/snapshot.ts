/** A stack of layers in use: garbage collection leaves it alone. */
import { existsSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { explainErrors } from '../../boundary.ts'
import { CaissonError } from '../../errors.ts'
import { tryLockDirectory, type FileLock } from '../../native/lock.ts'
import { layerPath, readRecord, snapshotPath } from './snapshot-files.ts'

/**
 * An open snapshot, with those below it. Others share it; `close()` (or `using`) gives it back, the end of the process too.
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
  /** Of the stack as a whole. */
  readonly chainId: string
  /** Of every layer, the top one first. */
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

  /** Absolute directories of the layers in overlayfs's form, the top one first. Never to be written to. */
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
 * Opens a snapshot if it exists and is not about to be removed. `chainIds`, the top one first, where they are known;
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
    utimesSync(path, now, now) // when it was used last
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

/** A snapshot's chainID and those below it. */
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
