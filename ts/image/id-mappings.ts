/** Maps the ids of an image to ids of the host. */
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { CaissonError } from '../errors.ts'
import { helperPath } from '../native/addon.ts'
import type { IdMaps } from '../native/layer.ts'
import { processRights } from '../native/rights.ts'
import { checkOptions } from '../options.ts'
import { idMappings } from './options/parts.ts'
import type { IdMapping } from '../spec/index.ts'

/** As `linux.uidMappings` and `linux.gidMappings` in config.json. */
export interface IdMappings {
  uidMappings: readonly IdMapping[]
  gidMappings: readonly IdMapping[]
}

/**
 * Explicit mappings, or `'subordinate'`: the caller as root, and for the rest the caller's ranges in /etc/subuid and
 * /etc/subgid.
 */
export type IdMappingsOption = 'subordinate' | IdMappings

/** Throws `ERR_INVALID_OPTION`, also if the caller has no ranges. */
export function resolveIdMappings(option: IdMappingsOption): IdMappings {
  if (option === 'subordinate') return subordinate()
  checkOptions({ idMappings: option }, { idMappings })
  return option
}

/** For the native side: without the right to give files away it needs a namespace, and so the helper. */
export function nativeIdMaps({ uidMappings, gidMappings }: IdMappings): IdMaps {
  const lines = (list: readonly IdMapping[]): IdMaps['uids'] =>
    list.map(({ containerID, hostID, size }) => ({ containerId: containerID, hostId: hostID, size }))
  const helper = processRights().changesOwners ? {} : { helper: helperPath() }
  return { uids: lines(uidMappings), gids: lines(gidMappings), ...helper }
}

function subordinate(): IdMappings {
  const { uid, gid, username } = userInfo()
  return {
    uidMappings: [{ containerID: 0, hostID: uid, size: 1 }, ...ranges('/etc/subuid', uid, username)],
    gidMappings: [{ containerID: 0, hostID: gid, size: 1 }, ...ranges('/etc/subgid', uid, username)],
  }
}

/** The ranges of subuid(5), `name-or-uid:start:count`, mapped consecutively from id 1 on. */
function ranges(file: string, uid: number, username: string): IdMapping[] {
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    // missing file: no user has ranges
  }
  const mappings: IdMapping[] = []
  let containerID = 1
  for (const line of text.split('\n')) {
    const [owner, start, count] = line.split(':')
    const [hostID, size] = [Number(start), Number(count)]
    if ((owner !== username && owner !== String(uid)) || !(hostID > 0 && size > 0)) continue
    mappings.push({ containerID, hostID, size })
    containerID += size
  }
  if (mappings.length > 0) return mappings
  throw invalid(
    `${username} has no range of ids in ${file}`,
    `usermod --add-subuids and --add-subgids give one`,
  )
}

function invalid(message: string, hint?: string): CaissonError {
  return new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate', hint })
}
