/** `process.scheduler`, `process.ioPriority` and `process.execCPUAffinity`: which properties are for which policy. */
import type { Scheduler } from '../../runtime/index.ts'
import type { Report, Sound } from '../report.ts'
import { ID_LIST, isIdList } from './id-list.ts'
import type { Config } from './platform.ts'

export function scheduling(config: Config, report: Report): void {
  const { scheduler, ioPriority, execCPUAffinity } = config.process ?? {}
  if (scheduler?.policy) {
    checkScheduler(scheduler, report)
    if (config.hooks?.startContainer?.length && !mayFork(scheduler)) {
      report.runnable(
        'process.scheduler.flags',
        'startContainer hooks cannot run under SCHED_DEADLINE without SCHED_FLAG_RESET_ON_FORK',
      )
    }
  }
  if (ioPriority && !report.isBroken('process.ioPriority.priority')) {
    const { priority } = ioPriority
    if (priority === undefined || priority === null) {
      report.strictly('process.ioPriority.priority', undefined, 'a whole number from 0 to 7')
    } else if (priority < 0 || priority > 7) {
      report.wrong('process.ioPriority.priority', priority, 'a whole number from 0 to 7')
    }
  }
  for (const name of ['initial', 'final'] as const) {
    const list = execCPUAffinity?.[name]
    if (list && !isIdList(list)) report.wrong(`process.execCPUAffinity.${name}`, list, ID_LIST)
  }
}

/** sched(7): otherwise fork(2) fails with EAGAIN. */
function mayFork({ policy, flags }: Sound<Scheduler>): boolean {
  return policy !== 'SCHED_DEADLINE' || (flags?.includes('SCHED_FLAG_RESET_ON_FORK') ?? false)
}

const SCHEDULER = 'process.scheduler'

function checkScheduler(scheduler: Sound<Scheduler>, report: Report): void {
  const { policy, nice, priority, flags } = scheduler
  if (policy === 'SCHED_ISO') {
    report.warn(`${SCHEDULER}.policy`, 'Linux reserves SCHED_ISO and does not implement it')
  }
  if (nice && (nice < -20 || nice > 19))
    report.wrong(`${SCHEDULER}.nice`, nice, 'a whole number from -20 to 19')
  // A value that the policy does not use would be ignored.
  else if (nice && policy !== 'SCHED_OTHER' && policy !== 'SCHED_BATCH') {
    report.error(`${SCHEDULER}.nice`, `is for SCHED_OTHER and SCHED_BATCH, not for ${policy}`, {
      found: nice,
    })
  }
  // What is kept need not be given.
  const keeps = ['SCHED_FLAG_KEEP_POLICY', 'SCHED_FLAG_KEEP_PARAMS'].some((flag) => flags?.includes(flag))
  if (policy === 'SCHED_FIFO' || policy === 'SCHED_RR') {
    const fits = priority ? priority >= 1 && priority <= 99 : keeps
    if (!fits && !report.isBroken(`${SCHEDULER}.priority`)) {
      report.wrong(`${SCHEDULER}.priority`, priority ?? undefined, 'a whole number from 1 to 99')
    }
  } else if (priority) {
    const message = `is for SCHED_FIFO and SCHED_RR, not for ${policy}`
    report.error(`${SCHEDULER}.priority`, message, { found: priority })
  }
  times(scheduler, keeps, report)
}

/** sched(7), SCHED_DEADLINE: what the kernel counts in, and its sign bit. */
const [SHORTEST, LONGEST] = [1024n, 2n ** 63n - 1n]

function times({ policy, ...scheduler }: Sound<Scheduler>, keeps: boolean, report: Report): void {
  const names = ['runtime', 'deadline', 'period'] as const
  const [runtime, deadline, period] = names.map((name) => scheduler[name] || undefined)
  for (const name of names) {
    const at = `${SCHEDULER}.${name}`
    const value = scheduler[name] || undefined
    if (policy !== 'SCHED_DEADLINE') {
      if (value) report.error(at, `is for SCHED_DEADLINE, not for ${policy}`, { found: value })
      continue
    }
    const optional = name === 'period' || keeps // a period of 0 is the deadline
    const fits = value === undefined ? optional : value >= SHORTEST && value <= LONGEST
    if (!fits && !report.isBroken(at)) {
      report.wrong(at, value, `a whole number of nanoseconds from ${SHORTEST} to ${LONGEST}`)
    }
  }
  if (policy !== 'SCHED_DEADLINE') return
  if (runtime && deadline && runtime > deadline) {
    report.wrong(`${SCHEDULER}.runtime`, runtime, `at most the deadline ${deadline}`)
  }
  if (deadline && period && deadline > period) {
    report.wrong(`${SCHEDULER}.deadline`, deadline, `at most the period ${period}`)
  }
}
