/** `linux.intelRdt` and `linux.memoryPolicy`. */
import { each, type Report } from '../report.ts'
import { ID_LIST, isIdList } from './id-list.ts'
import type { Config } from './platform.ts'

export function intelRdt(config: Config, report: Report): void {
  const { closID, l3CacheSchema, schemata } = config.linux?.intelRdt ?? {}
  if (closID && closID !== '/' && !isGroup(closID)) {
    report.wrong('linux.intelRdt.closID', closID, 'the name of a directory, or /')
  }
  if (l3CacheSchema && /[\n\0]/.test(l3CacheSchema))
    report.wrong('linux.intelRdt.l3CacheSchema', l3CacheSchema, 'one line')
  for (const [index, line] of each(schemata)) {
    if (/[\n\0]/.test(line)) report.wrong(`linux.intelRdt.schemata[${index}]`, line, 'one line')
  }
}

/** Directories of resctrl that are not groups. */
const RESERVED = ['.', '..', 'info', 'mon_data', 'mon_groups']

function isGroup(name: string): boolean {
  return !RESERVED.includes(name) && !/[/\n\0]/.test(name) && Buffer.byteLength(name) <= 255
}

/** set_mempolicy(2). */
export function memoryPolicy(config: Config, report: Report): void {
  const policy = config.linux?.memoryPolicy
  if (!policy) return
  const { mode, nodes, flags } = policy
  const at = 'linux.memoryPolicy'
  if (!mode) {
    if (!report.isBroken(`${at}.mode`)) report.wrong(`${at}.mode`, undefined, 'a mode such as MPOL_BIND')
    return
  }
  if (nodes && !isIdList(nodes)) report.wrong(`${at}.nodes`, nodes, ID_LIST)
  const [none, some] = [
    ['MPOL_DEFAULT', 'MPOL_LOCAL'],
    ['MPOL_BIND', 'MPOL_INTERLEAVE', 'MPOL_WEIGHTED_INTERLEAVE', 'MPOL_PREFERRED_MANY'],
  ]
  if (nodes && none?.includes(mode)) report.error(`${at}.nodes`, `${mode} takes none`, { found: nodes })
  if (!nodes && some?.includes(mode) && !report.isBroken(`${at}.nodes`)) {
    report.error(`${at}.nodes`, `${mode} needs at least one`)
  }
  const [balancing, fixed] = ['MPOL_F_NUMA_BALANCING', 'MPOL_F_STATIC_NODES']
  for (const [index, flag] of each(flags)) {
    const path = `${at}.flags[${index}]`
    if (flag === balancing && mode !== 'MPOL_BIND' && mode !== 'MPOL_PREFERRED_MANY')
      report.error(path, `${flag} is for MPOL_BIND and MPOL_PREFERRED_MANY`, { found: flag })
    if (flag === fixed && flags?.includes('MPOL_F_RELATIVE_NODES')) {
      report.error(path, `${flag} excludes MPOL_F_RELATIVE_NODES`, { found: flag })
    }
  }
}
