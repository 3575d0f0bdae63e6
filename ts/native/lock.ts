/** flock(2), which Node lacks. */
import { CaissonError } from '../errors.ts'
import { addon } from './addon.ts'
import type { HeldLock, LayerJob, LockOutcome } from './binding.d.ts'
import { errorFrom, isNativeError } from './failure.ts'
import { perform } from './layer.ts'

export type LockMode = 'shared' | 'exclusive'

/** Unreferenced locks stay held: what they guard outlives the object that took them. */
const open = new Set<HeldLock>()

/** Held until it is closed, or until this process or thread ends. */
export class FileLock implements Disposable {
  readonly #held: HeldLock

  constructor(held: HeldLock) {
    this.#held = held
    open.add(held)
  }

  close(): void {
    open.delete(this.#held)
    this.#held.close()
  }

  /** Closes it off the event loop: closing the last descriptor of a removed file makes the kernel free its blocks. */
  closeAside(): Promise<void> {
    open.delete(this.#held)
    return this.#held.closeAside()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Waits for the lock of a store: `shared` with all who add to it, or `exclusive`. */
export function lockStore(store: string, mode: LockMode, signal?: AbortSignal): Promise<FileLock> {
  return wait((job) => job.lockStore(store, mode === 'exclusive'), signal)
}

/** Waits for the lock of a directory. */
export function lockDirectory(path: string, mode: LockMode, signal?: AbortSignal): Promise<FileLock> {
  return wait((job) => job.lock(path, mode === 'exclusive'), signal)
}

/** Takes the lock of a directory without waiting; undefined if it is held elsewhere. Throws `ERR_NOT_FOUND`. */
export function tryLockDirectory(path: string, mode: LockMode): FileLock | undefined {
  const held = addon().tryLockDirectory(path, mode === 'exclusive')
  if (held === null) return undefined
  if (isNativeError(held)) throw errorFrom(held)
  return new FileLock(held)
}

async function wait(
  start: (job: LayerJob) => Promise<LockOutcome>,
  signal: AbortSignal | undefined,
): Promise<FileLock> {
  const { lock } = await perform({ signal }, start)
  if (lock) return new FileLock(lock)
  throw new CaissonError('ERR_BINDING_MISSING', 'the native package answered a lock without one')
}
