/** Id-mapped mounts: `uidMappings` and `gidMappings` of a mount, and crun's `idmap=uids=…;gids=…`. */
import type { IdMapping, Mount } from '../../runtime/index.ts'
import type { Report, Sound } from '../report.ts'
import { mappingList, type Mappings } from './mappings.ts'
import { isBind, isIdMapOption } from './mount-options.ts'
import { namespace, type Config } from './platform.ts'

export function idMap(mount: Sound<Mount>, at: string, config: Config, report: Report): void {
  const [uids, gids] = [mount.uidMappings ?? [], mount.gidMappings ?? []]
  const option = mount.options?.findLast((option) => option !== undefined && isIdMapOption(option))
  if (option === undefined && uids.length === 0 && gids.length === 0) return
  mappingList(uids, `${at}.uidMappings`, report)
  mappingList(gids, `${at}.gidMappings`, report)
  if (report.isBroken(at)) return
  if (!uids.length !== !gids.length) {
    report.error(at, 'uidMappings and gidMappings belong together')
    return
  }
  const written = uids.length > 0 ? '' : (option?.split('=').slice(1).join('=') ?? '')
  const problem = written && invalid(written, config)
  if (problem) report.runnable(`${at}.options`, problem)
  else if (!isBind(mount.options ?? [])) {
    report.runnable(`${at}.options`, 'id-mapped mounts are only supported for bind-mounts')
  } else if (uids.length > 0 && option === undefined) {
    report.warn(at, 'has mappings but not the option idmap or ridmap: an older runtime would ignore them')
  } else if (uids.length === 0 && !written && !namespace(config, 'user')) {
    report.error(at, 'an id-mapped mount needs mappings: its own, or those of a "user" namespace')
  }
}

/** What is wrong with `uids=FILE-HOST-SIZE#…;gids=…`; `@` counts the host's id within the container's mappings. */
function invalid(text: string, config: Config): string | undefined {
  const found = { uids: 0, gids: 0 }
  for (const part of text.split(';').filter((part) => part !== '')) {
    const [, name, ranges = ''] = /^(uids|gids)=(.*)$/s.exec(part) ?? []
    if (name !== 'uids' && name !== 'gids') {
      return `invalid id mapping ${JSON.stringify(part)}: expected uids=… or gids=…`
    }
    const container = name === 'uids' ? config.linux?.uidMappings : config.linux?.gidMappings
    for (const range of ranges.split('#').filter((range) => range !== '')) {
      const problem = invalidRange(range, container)
      if (problem) return problem
      found[name]++
    }
  }
  if (found.uids > 0 && found.gids > 0) return undefined
  return `invalid id mapping ${JSON.stringify(text)}: expected both uids= and gids=`
}

function invalidRange(range: string, container: Mappings): string | undefined {
  const shown = `invalid id mapping ${JSON.stringify(range)}`
  const numbers = /^@?(\+?\d+)-(\+?\d+)-(\+?\d+)$/.exec(range)?.slice(1).map(Number)
  if (!numbers || numbers.some((number) => number >= 2 ** 32)) {
    return `${shown}: expected FILE-HOST-SIZE, three numbers`
  }
  const [, host = 0] = numbers
  if (!range.startsWith('@')) return undefined
  const maps = (map: Sound<IdMapping> | undefined) =>
    map && host >= (map.containerID ?? 0) && host - (map.containerID ?? 0) < (map.size ?? 0)
  return container?.some(maps) ? undefined : `${shown}: id ${host} is not mapped in the container`
}
