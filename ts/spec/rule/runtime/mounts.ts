/** `mounts`, as Linux has them. */
import { each, type Report, type Sound } from '../report.ts'
import type { Mount } from '../../runtime/index.ts'
import { mappingList } from './mappings.ts'
import { isBind, isData, isIdMapOption, isUnknownData } from './mount-options.ts'
import { isLinux, namespace, type Config } from './platform.ts'

export function mounts(config: Config, report: Report): void {
  if (!isLinux(config)) return
  for (const [index, mount] of each(config.mounts)) {
    const at = `mounts[${index}]`
    destination(mount.destination ?? undefined, `${at}.destination`, report)
    source(mount, at, report)
    options(mount, at, report)
    idMapped(mount, at, !!namespace(config, 'user'), report)
  }
}

function destination(path: string | undefined, at: string, report: Report): void {
  if (path === undefined) return
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (path === '' || path.includes('\0')) report.wrong(at, path, 'a path')
  else if (parts.length === 0) {
    report.runnable(at, 'must not be the root itself: root.path says what that is')
  } else if (parts.includes('..')) report.runnable(at, 'must not contain ".."')
  else if (!path.startsWith('/')) report.warn(at, 'is relative, which is deprecated: it counts from /')
}

function source(mount: Sound<Mount>, at: string, report: Report): void {
  const bind = isBind(mount.options ?? [])
  if (bind && !mount.source && !report.isBroken(`${at}.source`)) {
    report.error(`${at}.source`, 'a bind mount needs one', { allowed: 'a path' })
  }
  if (!bind && !mount.type && !report.isBroken(at)) {
    report.runnable(`${at}.type`, 'is needed unless the options say "bind" or "rbind"')
  }
  if (!bind && (mount.type === 'bind' || mount.type === 'rbind')) {
    report.runnable(`${at}.options`, 'a bind mount needs the option "bind" or "rbind": add it')
  }
}

function options(mount: Sound<Mount>, at: string, report: Report): void {
  const bind = isBind(mount.options ?? [])
  const data = each(mount.options).filter(([, option]) => isData(option))
  if (bind && data.length > 0) {
    const text = JSON.stringify(data.map(([, option]) => option).join(','))
    report.warn(`${at}.options`, `${text} is data for a file system: a bind mount ignores it`)
  }
  for (const [index, option] of bind ? [] : data) {
    if (isUnknownData(option, mount.type ?? '')) {
      report.warn(
        `${at}.options[${index}]`,
        `${JSON.stringify(option)} is unknown: the kernel will refuse it or ignore it`,
      )
    }
  }
  if (mount.options?.includes('tmpcopyup') && mount.type !== 'tmpfs') {
    report.runnable(`${at}.options`, 'tmpcopyup is for tmpfs only')
  }
}

function idMapped(mount: Sound<Mount>, at: string, hasUserNamespace: boolean, report: Report): void {
  const [uids, gids] = [mount.uidMappings ?? [], mount.gidMappings ?? []]
  const asked = mount.options?.some((option) => option !== undefined && isIdMapOption(option)) ?? false
  if (!asked && uids.length === 0 && gids.length === 0) return
  mappingList(uids, `${at}.uidMappings`, report)
  mappingList(gids, `${at}.gidMappings`, report)
  if (report.isBroken(at)) return
  if (!uids.length !== !gids.length) report.error(at, 'uidMappings and gidMappings belong together')
  else if (uids.length > 0 && !asked) {
    report.warn(at, 'has mappings but not the option idmap or ridmap: an older runtime would ignore them')
  } else if (asked && uids.length === 0 && !hasUserNamespace) {
    report.error(at, 'an id-mapped mount needs mappings: its own, or those of a "user" namespace')
  }
}
