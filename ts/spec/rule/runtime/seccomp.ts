/** `linux.seccomp`: which properties apply to which action. */
import type { Seccomp } from '../../runtime/index.ts'
import { each, type Report, type Sound } from '../report.ts'
import type { Config } from './platform.ts'

const AT = 'linux.seccomp'
const NOTIFY = 'SCMP_ACT_NOTIFY'
/** errno(3) values the kernel passes on. */
const MAX_ERRNO = 4095

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
  notification(seccomp, report)
}

function errno(action: string | null | undefined, value: unknown, at: string, report: Report): void {
  if (value === undefined || value === null || !action) return
  if (action !== 'SCMP_ACT_ERRNO' && action !== 'SCMP_ACT_TRACE') {
    report.error(at, `is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not for ${action}`, { found: value })
  } else if (action === 'SCMP_ACT_ERRNO' && (value as number) > MAX_ERRNO) {
    report.wrong(at, value, `an errno, at most ${MAX_ERRNO}`)
  }
}

/** seccomp_unotify(2): one listener, and the properties that require it. */
function notification(seccomp: Sound<Seccomp>, report: Report): void {
  if (seccomp.defaultAction === NOTIFY) {
    // COMPAT(runc): the runtime's own calls would wait for a reply.
    report.error(
      `${AT}.defaultAction`,
      'must not be SCMP_ACT_NOTIFY: the runtime itself would wait for ever',
      {
        found: NOTIFY,
      },
    )
  }
  const rules = each(seccomp.syscalls).filter(([, { action }]) => action === NOTIFY)
  const notifies = rules.length > 0 || seccomp.defaultAction === NOTIFY
  if (!seccomp.listenerPath && !report.isBroken(`${AT}.listenerPath`)) {
    if (notifies) report.error(`${AT}.listenerPath`, 'is needed for SCMP_ACT_NOTIFY', { allowed: 'a path' })
    if (seccomp.listenerMetadata) report.error(`${AT}.listenerMetadata`, 'needs listenerPath')
  }
  for (const [index, { names }] of rules) {
    // COMPAT(runc): the setup itself reports its end with write(2).
    const place = names?.indexOf('write') ?? -1
    if (place >= 0) {
      report.error(
        `${AT}.syscalls[${index}].names[${place}]`,
        'write cannot be notified: the runtime itself uses it',
        {
          found: 'write',
        },
      )
    }
  }
  const [flag] = each(seccomp.flags).filter(([, name]) => name === 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV')
  if (flag && !notifies && !report.isBroken(`${AT}.syscalls`)) {
    report.error(`${AT}.flags[${flag[0]}]`, `${flag[1]} needs a rule with SCMP_ACT_NOTIFY`, {
      found: flag[1],
    })
  }
}
