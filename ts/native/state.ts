/** Containers of a state root, read natively and off the event loop: crates/state owns the files on disk. */
import { addon } from './addon.ts'
import type { ContainerRecord, NativeError } from './binding.d.ts'
import { errorFrom, isNativeError } from './failure.ts'

export type { ContainerDocument, ContainerRecord } from './binding.d.ts'

/** Rejects with `ERR_NOT_FOUND`, `ERR_INVALID_ID`, `ERR_STATE_UNSAFE`. A damaged state is a record with a `problem`. */
export async function readContainer(root: string, id: string): Promise<ContainerRecord> {
  const record = await addon().readContainer(root, id)
  // A record has an id, a failure a code.
  if ('code' in record) throw errorFrom(record, id)
  return record
}

/** Sorted by id; empty if the root does not exist. Rejects with `ERR_STATE_UNSAFE`. */
export async function listContainers(root: string): Promise<ContainerRecord[]> {
  return orThrow(await addon().listContainers(root))
}

/** The private copy of a container's configuration. */
export async function readContainerConfig(root: string, id: string): Promise<string> {
  return orThrow(await addon().readContainerConfig(root, id), id)
}

/**
 * Makes a state root where it is missing, and sweeps it in the background. Throws `ERR_STATE_UNSAFE`, `ERR_SYSCALL`.
 */
export function prepareStateRoot(root: string): void {
  const failure = addon().prepareStateRoot(root)
  if (failure) throw errorFrom(failure)
}

/** Removes a container whose process was killed before it could; false for any other container. */
export async function reclaimContainer(root: string, id: string): Promise<boolean> {
  return orThrow(await addon().reclaimContainer(root, id), id)
}

/** Signals the first process, or (`all`) every process. Rejects with `ERR_INVALID_STATE` where none is left. */
export async function signalContainer(root: string, id: string, signal: number, all = false): Promise<void> {
  const failure = await addon().signalContainer(root, id, signal, all)
  if (failure) throw errorFrom(failure, id)
}

function orThrow<T>(value: T | NativeError, containerId?: string): T {
  if (isNativeError(value)) throw errorFrom(value, containerId)
  return value
}
