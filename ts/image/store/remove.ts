/**
 * Removes files that belong to us or our subordinate ids: those written by containers with ranges of ids, and their
 * snapshots.
 */
import { CaissonError } from '../../errors.ts'
import { removeTree, type IdMaps } from '../../native/layer.ts'
import { processRights } from '../../native/rights.ts'
import { nativeIdMaps, resolveIdMappings } from '../id-mappings.ts'

export async function removeOwned(path: string): Promise<void> {
  try {
    await removeTree(path)
  } catch (error) {
    const denied = error instanceof CaissonError && (error.errno === 'EACCES' || error.errno === 'EPERM')
    const maps = denied ? subordinateMaps() : undefined
    if (!maps) throw error
    await removeTree(path, maps)
  }
}

/** All ids of an unprivileged user; undefined for a caller who needs none, and without ranges. */
export function subordinateMaps(): IdMaps | undefined {
  if (processRights().changesOwners) return undefined
  try {
    return nativeIdMaps(resolveIdMappings('subordinate'))
  } catch {
    return undefined
  }
}
