/** What a killed process could not clean up, and no guard did: removed by the next process. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { engine } from '../native/engine.ts'
import { bootId, isAlive } from './owner.ts'
import { sweepPrivateDirectories } from './private-directory.ts'
import { listIds, readState, type StateFile } from './state-file.ts'

/** A directory without state.json is somebody's create of this moment, or nobody's after so many milliseconds. */
const UNWRITTEN_AGE = 60_000

/** Removes entries of `root` that are half-made or attached and whose owner is gone. Never rejects. */
export async function reap(root: string): Promise<void> {
  sweepPrivateDirectories()
  const boot = bootId()
  const orphans = listIds(root).filter((id) => isOrphan(root, id, boot))
  await Promise.all(
    orphans.map((id) =>
      engine()
        .destroy({ root, id, force: true })
        .catch(() => {}),
    ),
  )
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
