/** The state of a container, derived when asked for, never stored. */
import { join } from 'node:path'
import { errorFrom } from '../../native/failure.ts'
import { readContainer, type ContainerDocument, type ContainerRecord } from '../../native/state.ts'

/** `'damaged'`: its state cannot be read; {@link Container.delete} with `force` ends and removes it. */
export type ContainerStatus = 'creating' | 'created' | 'running' | 'paused' | 'stopped' | 'damaged'

/** State as in the runtime specification (runtime.md, State), with runc's additions. */
export interface ContainerState {
  ociVersion: string
  id: string
  /** 0 when stopped. */
  pid: number
  status: ContainerStatus
  /** Absolute path. */
  bundle: string
  /** Absolute path. */
  rootfs: string
  /** RFC 3339, UTC. */
  created: string
  /** Name of the creating user. */
  owner: string
  annotations: Record<string, string>
  /** Why the status is `'damaged'`. */
  problem?: string
}

/** Rejects with `ERR_NOT_FOUND`, `ERR_INVALID_ID`, `ERR_STATE_UNSAFE`, `ERR_STATE_DAMAGED`, `ERR_STATE_VERSION`. */
export async function containerState(root: string, id: string): Promise<ContainerState> {
  const record = await readContainer(root, id)
  if (record.problem) throw errorFrom(record.problem, id)
  return stateOf(record)
}

export function stateOf({ id, status, state, problem }: ContainerRecord): ContainerState {
  return {
    ociVersion: state?.ociVersion ?? '',
    id,
    pid: status === 'stopped' ? 0 : (state?.pid ?? 0),
    status: status as ContainerStatus,
    bundle: state?.bundle ?? '',
    rootfs: state?.rootfs ?? '',
    created: state?.created ?? '',
    owner: state?.owner ?? '',
    annotations: JSON.parse(state?.annotations ?? '{}') as Record<string, string>,
    ...(problem && { problem: problem.message }),
  }
}

/** Host path of the directory that a container writes to, if it is on disk. */
export function writableLayer({ overlay }: Pick<ContainerDocument, 'overlay'>): string | undefined {
  return overlay && !overlay.tmpfs ? join(overlay.store, overlay.container, 'upper') : undefined
}
