/** `process.scheduler` and `process.ioPriority`: which properties apply to which policy. */
import type { Report } from '../report.ts'
import type { Config } from './platform.ts'

export function scheduling(config: Config, report: Report): void {
  scheduler(config, report)
  const ioPriority = config.process?.ioPriority
  if (!ioPriority || report.isBroken('process.ioPriority.priority')) return
  const { priority } = ioPriority
  if (priority === undefined || priority === null) {
    report.strictly('process.ioPriority.priority', undefined, 'a whole number from 0 to 7')
  } else if (priority < 0 || priority > 7) {
    report.wrong('process.ioPriority.priority', priority, 'a whole number from 0 to 7')
  }
}

function scheduler(config: Config, report: Report): void {
  const scheduler = config.process?.scheduler
  if (!scheduler?.policy) return
  const { policy, nice, priority, runtime, deadline, period } = scheduler
  const at = 'process.scheduler'
  if (nice && (nice < -20 || nice > 19)) report.wrong(`${at}.nice`, nice, 'a whole number from -20 to 19')
  // COMPAT(runc): a value that the policy does not use is refused.
  if (nice && policy !== 'SCHED_OTHER' && policy !== 'SCHED_BATCH') {
    report.error(`${at}.nice`, `is for SCHED_OTHER and SCHED_BATCH, not for ${policy}`, { found: nice })
  }
  const realtime = policy === 'SCHED_FIFO' || policy === 'SCHED_RR'
  if (priority && !realtime) {
    report.error(`${at}.priority`, `is for SCHED_FIFO and SCHED_RR, not for ${policy}`, { found: priority })
  }
  if (realtime && (!priority || priority < 1 || priority > 99) && !report.isBroken(`${at}.priority`)) {
    report.wrong(`${at}.priority`, priority ?? undefined, 'a whole number from 1 to 99')
  }
  for (const [name, value] of [
    ['runtime', runtime],
    ['deadline', deadline],
    ['period', period],
  ] as const) {
    if (value && policy !== 'SCHED_DEADLINE') {
      report.error(`${at}.${name}`, `is for SCHED_DEADLINE, not for ${policy}`, { found: value })
    }
  }
  if (policy === 'SCHED_DEADLINE' && runtime && deadline && runtime > deadline) {
    report.wrong(`${at}.runtime`, runtime, `at most the deadline ${deadline}`)
  }
  if (policy === 'SCHED_DEADLINE' && deadline && period && deadline > period) {
    report.wrong(`${at}.deadline`, deadline, `at most the period ${period}`)
  }
}
