/** `mounts`, as Linux has them. */
import { each, type Report, type Sound } from '../report.ts'
import type { Mount } from '../../runtime/index.ts'
import { idMap } from './id-map.ts'
import { isBind, isData, isUnknownData } from './mount-options.ts'
import { isLinux, type Config } from './platform.ts'

const NOFOLLOW = ['src-nofollow', 'dest-nofollow']

export function mounts(config: Config, report: Report): void {
  if (!isLinux(config)) return
  for (const [index, mount] of each(config.mounts)) {
    const at = `mounts[${index}]`
    destination(mount.destination ?? undefined, `${at}.destination`, report)
    source(mount, at, report)
    options(mount, at, report)
    links(mount.options ?? [], `${at}.options`, report)
    idMap(mount, at, config, report)
  }
}

function destination(path: string | undefined, at: string, report: Report): void {
  if (path === undefined) return
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  if (path === '' || path.includes('\0')) report.wrong(at, path, 'a path')
  else if (parts.length === 0) {
    report.runnable(at, 'must not be the root itself: root.path says what that is')
  } else if (!path.startsWith('/')) report.warn(at, 'is relative, which is deprecated: it counts from /')
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

/** Options about links of a bind mount. */
function links(options: readonly (string | undefined)[], at: string, report: Report): void {
  const [copies, nofollow] = [
    options.includes('copy-symlink'),
    NOFOLLOW.some((name) => options.includes(name)),
  ]
  if ((copies || nofollow) && !isBind(options)) {
    report.runnable(at, 'copy-symlink, src-nofollow and dest-nofollow are for bind mounts only')
  } else if (copies && nofollow) {
    // COMPAT(crun): its sentence.
    report.runnable(at, '`copy-symlink` is mutually exclusive with `src-nofollow` and `dest-nofollow`')
  }
}
