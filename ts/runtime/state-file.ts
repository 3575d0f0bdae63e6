/** `state.json` of a state directory, as the native engine writes it (docs/internal/native-face.md). */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { CaissonError } from '../errors.ts'
import type { ImageOrigin } from '../image/origin.ts'
import { checkId } from './id.ts'

/** What the directory says; status and pid are derived (state.ts). */
export interface StateFile {
  version: 1
  id: string
  ociVersion: string
  bundle: string
  rootfs: string
  annotations: Record<string, string>
  created: string
  owner: string
  status: 'creating' | 'ready'
  attached: boolean
  ownerPid: number
  ownerStartTime: string
  bootId: string
  pid: number | null
  startTime: string | null
  cgroup: { mode: string; directories: string[] }
  terminal: boolean
  pidNamespace: boolean
  /** Only where the root file system comes from a store. */
  overlay?: { store: string; container: string; tmpfs: boolean }
  /** Made for this container only, outside of the state directory. */
  directory?: string
  /** Only where it is made from an image. */
  image?: ImageOrigin
}

/** Path on the host of the directory with what a container writes, where it is on disk. */
export function writableLayer({ overlay }: Pick<StateFile, 'overlay'>): string | undefined {
  return overlay && !overlay.tmpfs ? join(overlay.store, overlay.container, 'upper') : undefined
}

/** Undefined while a container is in its first moments and has no file yet. Throws `ERR_NOT_FOUND`, `ERR_INVALID_ID`. */
export function readState(root: string, id: string): StateFile | undefined {
  checkId(id)
  const path = join(root, id, 'state.json')
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const { code, syscall } = cause as NodeJS.ErrnoException
    const missing = code === 'ENOENT' || code === 'ENOTDIR'
    if (missing && statSync(join(root, id), { throwIfNoEntry: false })?.isDirectory()) return undefined
    if (missing) throw notFound(id)
    throw new CaissonError('ERR_SYSCALL', `cannot read ${path}: ${code}`, {
      containerId: id,
      syscall,
      errno: code,
      path,
      cause,
    })
  }
  try {
    return JSON.parse(text) as StateFile
  } catch (cause) {
    throw new CaissonError('ERR_INVALID_STATE', `${path} is damaged`, { containerId: id, path, cause })
  }
}

/** Below a state root: bundles that were made for one container. No id, whatever checkId says. */
export const BUNDLES = '.bundles'

/** Ids of all containers below a root, sorted; empty when the root does not exist. */
export function listIds(root: string): string[] {
  try {
    const entries = readdirSync(root, { withFileTypes: true })
    return entries
      .flatMap((entry) => (entry.isDirectory() && entry.name !== BUNDLES ? [entry.name] : []))
      .sort()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw cause
  }
}

/** COMPAT(runc): the wording that engines look for. */
function notFound(id: string): CaissonError {
  return new CaissonError('ERR_NOT_FOUND', `container does not exist: ${id}`, {
    phase: 'resolve',
    containerId: id,
  })
}
