/** `linux.devices` and `linux.netDevices`. */
import { NO_ID } from './mappings.ts'
import { childPath } from '../../json/path.ts'
import { each, type Report } from '../report.ts'
import { namespace, type Config } from './platform.ts'

export function devices(config: Config, report: Report): void {
  const seen = new Map<string, number>()
  for (const [index, device] of each(config.linux?.devices)) {
    const at = `linux.devices[${index}]`
    const { path, type, major, minor } = device
    if (path !== undefined && path !== null) {
      if (!path.startsWith('/')) report.wrong(`${at}.path`, path, 'an absolute path without ".."')
      else if (path.split('/').includes('..'))
        report.runnable(`${at}.path`, 'must be absolute and without ".."')
    }
    for (const name of ['uid', 'gid'] as const) {
      if (Number(device[name]) === NO_ID) {
        report.error(`${at}.${name}`, 'invalid id: the last one is 4294967294', { found: device[name] })
      }
    }
    if (!type || type === 'p') continue
    for (const [name, value] of [
      ['major', major],
      ['minor', minor],
    ] as const) {
      const fits = value !== undefined && value !== null && value >= 0 && value <= 0xffff_ffff
      if (!fits && !report.isBroken(`${at}.${name}`)) {
        report.wrong(
          `${at}.${name}`,
          value ?? undefined,
          'a number from 0 to 4294967295, as the type is not p',
        )
      }
    }
    const key = `${type} ${major}:${minor}`
    const first = seen.get(key)
    if (first !== undefined) report.warn(at, `is the same device as linux.devices[${first}]`)
    else seen.set(key, index)
  }
}

/** Without the terminating NUL; the kernel's buffer has 16 bytes. */
const LONGEST_INTERFACE = 15

export function netDevices(config: Config, report: Report): void {
  const list = Object.entries(config.linux?.netDevices ?? {})
  if (list.length > 0 && !namespace(config, 'network') && !report.isBroken('linux.namespaces')) {
    // COMPAT(runc): its wording.
    report.runnable('linux.netDevices', 'unable to move network devices without a NET namespace')
  }
  const seen = new Set<string>()
  for (const [outside, device] of list) {
    const at = childPath('linux.netDevices', outside)
    const inside = device?.name || outside
    if (!isInterfaceName(outside) || outside.includes('%')) {
      report.wrong(at, outside, 'the name of an interface: 1 to 15 bytes without / or space')
    }
    const template = inside.includes('%')
    const fits = isInterfaceName(inside) && /^[^%]*(?:%d[^%]*)?$/.test(inside)
    if (inside !== outside && !fits) {
      const allowed = 'the name of an interface: 1 to 15 bytes without / or space, with at most one %d'
      report.wrong(`${at}.name`, inside, allowed)
    }
    if (seen.has(inside))
      report.error(`${at}.name`, `a second interface ${JSON.stringify(inside)}`, { found: inside })
    // A template such as `eth%d` takes the first free number.
    if (!template) seen.add(inside)
  }
}

/** `dev_valid_name` of the kernel, which looks at bytes. */
function isInterfaceName(name: string): boolean {
  const bytes = Buffer.from(name)
  const fits = bytes.length > 0 && bytes.length <= LONGEST_INTERFACE && name !== '.' && name !== '..'
  return fits && bytes.every((byte) => !EXCLUDED.has(byte))
}

/** `/`, `:`, NUL, and spaces in Latin-1. */
const EXCLUDED: ReadonlySet<number> = new Set([0x2f, 0x3a, 0, 0x20, 9, 10, 11, 12, 13, 0xa0])
