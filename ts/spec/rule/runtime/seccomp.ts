/** `linux.seccomp`: which properties apply to which action. */
import type { Seccomp } from '../../runtime/index.ts'
import { each, type Report, type Sound } from '../report.ts'
import type { Config } from './platform.ts'

const AT = 'linux.seccomp'
const NOTIFY = 'SCMP_ACT_NOTIFY'
/** errno(3) values the kernel passes on. */
const MAX_ERRNO = 4095
/** `SECCOMP_RET_DATA` of seccomp(2): 16 bits for the tracer. */
const MAX_TRACE = 0xffff

export function seccomp(config: Config, report: Report): void {
  const seccomp = config.linux?.seccomp
  if (!seccomp) return
  errno(seccomp.defaultAction, seccomp.defaultErrnoRet, `${AT}.defaultErrnoRet`, report)
  for (const [index, rule] of each(seccomp.syscalls)) {
    const at = `${AT}.syscalls[${index}]`
    errno(rule.action, rule.errnoRet, `${at}.errnoRet`, report)
    const nameless = rule.names?.indexOf('') ?? -1
    if (nameless >= 0) report.wrong(`${at}.names[${nameless}]`, '', 'the name of a system call')
    for (const [place, arg] of each(rule.args)) {
      if (arg.index !== undefined && arg.index !== null && arg.index > 5) {
        report.wrong(`${at}.args[${place}].index`, arg.index, 'from 0 to 5, as a call has six arguments')
      }
      if (arg.op && arg.op !== 'SCMP_CMP_MASKED_EQ' && arg.valueTwo) {
        report.warn(`${at}.args[${place}].valueTwo`, `has no effect on ${arg.op}`)
      }
    }
  }
  contradictions(seccomp, report)
  notification(seccomp, report)
}

function errno(action: string | null | undefined, value: unknown, at: string, report: Report): void {
  if (value === undefined || value === null || !action) return
  if (action !== 'SCMP_ACT_ERRNO' && action !== 'SCMP_ACT_TRACE') {
    report.error(at, `is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not for ${action}`, { found: value })
  } else if (action === 'SCMP_ACT_ERRNO' && (value as number) > MAX_ERRNO) {
    report.wrong(at, value, `an errno, at most ${MAX_ERRNO}`)
  } else if (action === 'SCMP_ACT_TRACE' && (value as number) > MAX_TRACE) {
    report.wrong(at, value, `data for the tracer, at most ${MAX_TRACE}`)
  }
}

/** Rules with the same conditions and different actions, unless an unconditional rule of the call decides. */
function contradictions(seccomp: Sound<Seccomp>, report: Report): void {
  const effect = (action: unknown, errnoRet: unknown): string => {
    const takesErrno = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE'
    const name = action === 'SCMP_ACT_KILL_THREAD' ? 'SCMP_ACT_KILL' : action
    return takesErrno ? `${name} ${errnoRet ?? 1}` : `${name}`
  }
  const usual = effect(seccomp.defaultAction, seccomp.defaultErrnoRet)
  const rules = each(seccomp.syscalls).filter(([, rule]) => effect(rule.action, rule.errnoRet) !== usual)
  const isConditional = (rule: (typeof rules)[number][1]): boolean => (rule.args?.length ?? 0) > 0
  const decided = new Set(rules.flatMap(([, rule]) => (isConditional(rule) ? [] : (rule.names ?? []))))
  const seen = new Map<string, { index: number; effect: string }>()
  for (const [index, rule] of rules) {
    if (!isConditional(rule)) continue
    const args = each(rule.args).map(([, arg]) => [arg.index, arg.op, arg.value, arg.valueTwo ?? null].join())
    const found = { index, effect: effect(rule.action, rule.errnoRet) }
    for (const name of rule.names ?? []) {
      if (decided.has(name)) continue
      const key = [name, ...args].join(' ')
      const first = seen.get(key) ?? found
      seen.set(key, first)
      if (first.effect === found.effect) continue
      const message = `contradicts syscalls[${first.index}], which has the same conditions on ${name}`
      report.error(`${AT}.syscalls[${index}].action`, message)
      break
    }
  }
}

/** seccomp_unotify(2): one listener, and the properties that require it. */
function notification(seccomp: Sound<Seccomp>, report: Report): void {
  if (seccomp.defaultAction === NOTIFY) {
    report.warn(`${AT}.defaultAction`, 'is refused by runc, which makes calls of its own under the filter')
  }
  const rules = each(seccomp.syscalls).filter(([, { action }]) => action === NOTIFY)
  const notifies = rules.length > 0 || seccomp.defaultAction === NOTIFY
  if (!seccomp.listenerPath && !report.isBroken(`${AT}.listenerPath`)) {
    if (notifies) report.error(`${AT}.listenerPath`, 'is needed for SCMP_ACT_NOTIFY', { allowed: 'a path' })
    if (seccomp.listenerMetadata) report.error(`${AT}.listenerMetadata`, 'needs listenerPath')
  }
  for (const [index, { names }] of rules) {
    const place = names?.indexOf('write') ?? -1
    if (place >= 0) {
      const message = 'is refused by runc with SCMP_ACT_NOTIFY, as it calls write under the filter'
      report.warn(`${AT}.syscalls[${index}].names[${place}]`, message)
    }
  }
  const [flag] = each(seccomp.flags).filter(([, name]) => name === 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV')
  if (flag && !notifies && !report.isBroken(`${AT}.syscalls`)) {
    report.error(`${AT}.flags[${flag[0]}]`, `${flag[1]} needs a rule with SCMP_ACT_NOTIFY`, {
      found: flag[1],
    })
  }
}
