/** `linux.resources`: relations between its values. */
import { childPath } from '../../json/path.ts'
import { each, type Report } from '../report.ts'
import type { Config } from './platform.ts'

const AT = 'linux.resources'
/** One word of a line for the kernel. */
const WORD = /^[^ \t\n\0]+$/
const LAST_DEVICE = 2 ** 32 - 1
/** int64, which is more than any machine has. */
const MOST = 2n ** 63n - 1n
const LIST = /^\s*\d+(?:-\d+)?(?:\s*,\s*\d+(?:-\d+)?)*\s*$/

export function resources(config: Config, report: Report): void {
  deviceRules(config, report)
  memory(config, report)
  network(config, report)
  cpu(config, report)
  blockIo(config, report)
  const pids = config.linux?.resources?.pids
  if (pids && (pids.limit === undefined || pids.limit === null) && !report.isBroken(`${AT}.pids.limit`)) {
    report.strictly(`${AT}.pids.limit`, undefined, 'a whole number, -1 for no limit')
  }
  const sizes = new Set<string>()
  for (const [index, { pageSize, limit }] of each(config.linux?.resources?.hugepageLimits)) {
    if (pageSize && sizes.has(pageSize))
      report.warn(`${AT}.hugepageLimits[${index}]`, `a second limit for ${pageSize}`)
    if (pageSize) sizes.add(pageSize)
    if (limit && limit > MOST)
      report.runnable(`${AT}.hugepageLimits[${index}].limit`, `must be at most ${MOST}`)
  }
  for (const [name, device] of Object.entries(config.linux?.resources?.rdma ?? {})) {
    const at = childPath(`${AT}.rdma`, name)
    if (!WORD.test(name)) report.runnable(at, 'must be the name of a device, without spaces')
    if (device && isAbsent(device.hcaHandles) && isAbsent(device.hcaObjects) && !report.isBroken(at)) {
      report.error(at, 'needs hcaHandles or hcaObjects')
    }
  }
  for (const key of Object.keys(config.linux?.resources?.unified ?? {})) {
    if (!key || key.includes('/')) {
      report.error(childPath(`${AT}.unified`, key), 'must be the name of a file, without /', { found: key })
    } else if (!/^[^.]+\./.test(key)) {
      report.runnable(childPath(`${AT}.unified`, key), 'must be the name of a file such as memory.high')
    }
  }
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null

function deviceRules(config: Config, report: Report): void {
  for (const [index, rule] of each(config.linux?.resources?.devices)) {
    const { type, access } = rule
    const at = `${AT}.devices[${index}]`
    if (!access && !report.isBroken(`${at}.access`))
      report.runnable(`${at}.access`, 'is missing: expected letters of r, w, m')
    for (const name of ['major', 'minor'] as const) {
      const number = rule[name] ?? -1
      if (number < -1 || number > LAST_DEVICE)
        report.runnable(`${at}.${name}`, 'must be a device number, or -1 for every one')
    }
    if (!isAbsent(type) && !['a', 'b', 'c'].includes(type!))
      report.wrong(`${at}.type`, type, 'one of a, b, c')
    if (access && !/^[rwma]+$/.test(access)) report.wrong(`${at}.access`, access, 'letters of r, w, m')
  }
}

function memory(config: Config, report: Report): void {
  const { limit, swap, reservation, swappiness, kernel, kernelTCP } = config.linux?.resources?.memory ?? {}
  const at = `${AT}.memory`
  if (swappiness && swappiness > 100)
    report.wrong(`${at}.swappiness`, swappiness, 'a whole number from 0 to 100')
  for (const [name, value] of Object.entries({ limit, reservation, swap })) {
    if (value && value < -1) report.runnable(`${at}.${name}`, 'must be a number of bytes, or -1 for no limit')
  }
  // cgroup versions 1 and 2 interpret these differently.
  if (swap && swap > 0 && limit && limit > swap) {
    report.warn(`${at}.swap`, `${swap} is below the limit ${limit}, which it counts too`)
  }
  if (swap && swap > 0 && !limit && !report.isBroken(`${at}.limit`)) {
    report.warn(`${at}.swap`, 'needs a limit on cgroup version 2, as it counts memory and swap together')
  }
  if (limit && limit > 0 && reservation && reservation > limit) {
    report.warn(`${at}.reservation`, `${reservation} is above the limit ${limit}: it has no effect`)
  }
  if (kernel || kernelTCP)
    report.warn(at, 'kernel and kernelTCP are not recommended: Linux counts both in the limit')
}

function cpu(config: Config, report: Report): void {
  const { quota, burst, idle, shares, cpus, mems } = config.linux?.resources?.cpu ?? {}
  const at = `${AT}.cpu`
  if (quota && quota > 0 && burst && burst > quota) {
    report.wrong(`${at}.burst`, burst, `at most the quota ${quota}`)
  }
  if (idle && idle !== 1) report.strictly(`${at}.idle`, idle, '0 or 1')
  if (idle === 1 && shares) report.warn(`${at}.shares`, 'has no effect beside idle')
  for (const [name, list] of [
    ['cpus', cpus],
    ['mems', mems],
  ] as const) {
    if (list && !LIST.test(list)) report.strictly(`${at}.${name}`, list, 'a list such as 0-3,7')
  }
}

function network(config: Config, report: Report): void {
  for (const [index, { name }] of each(config.linux?.resources?.network?.priorities)) {
    if (name === undefined || name === null || WORD.test(name)) continue
    const at = `${AT}.network.priorities[${index}].name`
    report.runnable(at, 'must be the name of an interface, without spaces')
  }
}

function blockIo(config: Config, report: Report): void {
  const blockIO = config.linux?.resources?.blockIO
  if (!blockIO) return
  for (const [index, { weight, leafWeight }] of each(blockIO.weightDevice)) {
    const at = `${AT}.blockIO.weightDevice[${index}]`
    if (isAbsent(weight) && isAbsent(leafWeight) && !report.isBroken(at)) {
      report.error(at, 'needs weight or leafWeight')
    }
  }
  for (const name of [
    'throttleReadBpsDevice',
    'throttleWriteBpsDevice',
    'throttleReadIOPSDevice',
    'throttleWriteIOPSDevice',
  ] as const) {
    for (const [index, { rate }] of each(blockIO[name])) {
      const at = `${AT}.blockIO.${name}[${index}].rate`
      if (isAbsent(rate) && !report.isBroken(at)) report.wrong(at, undefined, 'a rate per second')
    }
  }
  for (const name of ['weight', 'leafWeight'] as const) {
    const weight = blockIO[name]
    if (weight && (weight < 10 || weight > 1000))
      report.strictly(`${AT}.blockIO.${name}`, weight, 'from 10 to 1000')
  }
}
