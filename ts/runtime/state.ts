/** The state of a container, derived when asked for, never stored. */
import { addon } from '../native/addon.ts'
import { errorFrom, isNativeError } from '../native/failure.ts'
import { readState, type StateFile } from './state-file.ts'

export type ContainerStatus = 'creating' | 'created' | 'running' | 'paused' | 'stopped'

/** State as the runtime specification has it (runtime.md, State), with runc's additions. */
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
  /** Name of the user who created it. */
  owner: string
  annotations: Record<string, string>
}

/** Throws `ERR_NOT_FOUND`, `ERR_INVALID_ID`. */
export function containerStatus(root: string, id: string): ContainerStatus {
  const status = addon().containerStatus(root, id)
  if (isNativeError(status)) throw errorFrom(status, id)
  return status as ContainerStatus
}

/** Throws `ERR_NOT_FOUND`, `ERR_INVALID_ID`. */
export function containerState(root: string, id: string): ContainerState {
  const file = readState(root, id)
  const status = file ? containerStatus(root, id) : 'creating'
  return stateOf(file ?? unwritten(id), status)
}

export function stateOf(file: StateFile, status: ContainerStatus): ContainerState {
  return {
    ociVersion: file.ociVersion,
    id: file.id,
    pid: status === 'stopped' ? 0 : (file.pid ?? 0),
    status,
    bundle: file.bundle,
    rootfs: file.rootfs,
    created: file.created,
    owner: file.owner,
    annotations: file.annotations,
  }
}

/** A directory whose state.json its creator has not written yet. */
function unwritten(id: string): StateFile {
  const nothing = {
    ociVersion: '',
    bundle: '',
    rootfs: '',
    created: '',
    owner: '',
    bootId: '',
    annotations: {},
  }
  const nobody = { ownerPid: 0, ownerStartTime: '', pid: null, startTime: null }
  const cgroup = { mode: 'none', directories: [] }
  const flags = { cgroup, attached: false, terminal: false, pidNamespace: false }
  return { version: 1, id, status: 'creating', ...nothing, ...nobody, ...flags }
}
