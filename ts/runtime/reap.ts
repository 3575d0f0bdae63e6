/** What a killed process could not clean up, and no guard did: removed by the next process. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { bootId } from '../image/store/boot-id.ts'
import { sweepContainers } from '../image/store/container-directory.ts'
import { engine } from '../native/engine.ts'
import { isAlive } from './owner.ts'
import { BUNDLES, listIds, readState, type StateFile } from './state-file.ts'

/** A directory without state.json is somebody's create of this moment, or nobody's after so many milliseconds. */
const UNWRITTEN_AGE = 60_000

/** Removes entries of `root` that are half-made or attached and whose owner is gone. Never rejects. */
export async function reap(root: string): Promise<void> {
  const boot = bootId()
  const bundles = sweepContainers(join(root, BUNDLES)).catch(() => {}) // what it leaves, the next process sweeps
  const orphans = listIds(root).filter((id) => isOrphan(root, id, boot))
  const removed = orphans.map((id) => engine().destroy({ root, id, force: true }))
  await Promise.allSettled([bundles, ...removed])
}

function isOrphan(root: string, id: string, boot: string): boolean {
  let state: StateFile | undefined
  try {
    state = readState(root, id)
    if (state === undefined) return Date.now() - statSync(join(root, id)).mtimeMs > UNWRITTEN_AGE
  } catch {
    return false // gone meanwhile, or not ours to judge
  }
  if (state.status !== 'creating' && !state.attached) return false
  return state.bootId !== boot || !isAlive({ pid: state.ownerPid, startTime: state.ownerStartTime })
}
