/** `linux.uidMappings` and `linux.gidMappings`. */
import type { IdMapping } from '../../runtime/index.ts'
import { each, type Report, type Sound } from '../report.ts'
import { namespace, type Config } from './platform.ts'

/** Limit of lines in the kernel (user_namespaces(7)). */
const MOST = 340
/** (uid_t)-1 means "unchanged" to system calls, so it is not a valid id. */
export const NO_ID: number = 2 ** 32 - 1

export type Mappings = Sound<IdMapping[]> | null | undefined

export function mappings(config: Config, report: Report): void {
  const user = namespace(config, 'user')
  const lists = [
    ['uidMappings', config.linux?.uidMappings],
    ['gidMappings', config.linux?.gidMappings],
  ] as const
  for (const [name, list] of lists) {
    if (!list?.length) continue
    const at = `linux.${name}`
    if (!user && !report.isBroken('linux.namespaces')) report.error(at, 'needs a "user" namespace')
    if (user) mappingList(list, at, report)
  }
  const [[, uids], [, gids]] = lists
  const broken = report.isBroken('linux.uidMappings') || report.isBroken('linux.gidMappings')
  if (user && !broken && !uids?.length !== !gids?.length) {
    report.error('linux', 'uidMappings and gidMappings belong together')
  }
}

/** Rules for every list of mappings, including those of mounts. */
export function mappingList(list: Mappings, at: string, report: Report): void {
  if (list && list.length > MOST)
    report.error(at, `the kernel takes at most ${MOST} mappings`, { found: list.length })
  for (const [index, { containerID = 0, hostID = 0, size = 1 }] of each(list)) {
    const end = Math.max(Number(containerID), Number(hostID)) + Number(size)
    if (size === 0) report.error(`${at}[${index}].size`, 'must not be 0', { found: size })
    else if (end > NO_ID) report.error(`${at}[${index}]`, 'goes beyond the last id, 4294967294')
  }
}

/** Whether `id` is mapped; without a list every id is. */
export function isMapped(list: Mappings, id: number): boolean {
  if (!list?.length) return true
  return list.some(
    (mapping) =>
      mapping && id >= (mapping.containerID ?? 0) && id < (mapping.containerID ?? 0) + (mapping.size ?? 0),
  )
}
