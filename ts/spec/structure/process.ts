/** Structure of `process`. */
import type {
  Capabilities,
  ConsoleSize,
  ExecCpuAffinity,
  IoPriority,
  Process,
  Rlimit,
  Scheduler,
  User,
} from '../runtime/index.ts'
import {
  list,
  listOf,
  matching,
  notNull,
  object,
  oneOf,
  optional,
  optionalFlag,
  optionalText,
  optionalTexts,
  optionalUint32,
  optionalUint64,
  section,
  text,
  uint32,
  uint64,
  whole,
  type Optional,
  type Schema,
} from './leaf.ts'

export const SCHEDULER_POLICIES = [
  'SCHED_OTHER',
  'SCHED_FIFO',
  'SCHED_RR',
  'SCHED_BATCH',
  'SCHED_ISO',
  'SCHED_IDLE',
  'SCHED_DEADLINE',
] as const

export function process(): Schema<Process> {
  return object<Process>({
    terminal: optionalFlag,
    consoleSize: section(() =>
      object<ConsoleSize>({ height: uint64 as Schema<number>, width: uint64 as Schema<number> }),
    ),
    user: section(user),
    args: optionalTexts,
    commandLine: optionalText,
    env: optionalTexts,
    cwd: text,
    capabilities: section(capabilities),
    rlimits: section(rlimits),
    noNewPrivileges: optionalFlag,
    apparmorProfile: optionalText,
    selinuxLabel: optionalText,
    oomScoreAdj: optional(whole(-(2 ** 31), 2 ** 31 - 1)),
    scheduler: section(scheduler),
    ioPriority: section(ioPriority),
    execCPUAffinity: section(execCpuAffinity),
  })
}

function user(): Schema<User> {
  return object<User>({
    // Required by the text of the specification, not by its schema; rule/process.ts checks them.
    uid: notNull(optionalUint32),
    gid: notNull(optionalUint32),
    umask: optionalUint32,
    additionalGids: optional(list(uint32)),
    username: optionalText,
  })
}

function capabilities(): Schema<Capabilities> {
  return object<Capabilities>({
    bounding: optionalTexts,
    effective: optionalTexts,
    inheritable: optionalTexts,
    permitted: optionalTexts,
    ambient: optionalTexts,
  })
}

function rlimits(): Schema<Rlimit[]> {
  return list(
    object<Rlimit>({
      type: matching(/^RLIMIT_[A-Z]+$/, 'a name such as RLIMIT_NOFILE'),
      soft: uint64,
      hard: uint64,
    }),
  )
}

function scheduler(): Schema<Scheduler> {
  const int32: Optional<number> = optional(whole(-(2 ** 31), 2 ** 31 - 1))
  return object<Scheduler>({
    policy: oneOf(...SCHEDULER_POLICIES),
    nice: int32,
    priority: int32,
    flags: optional(
      listOf(
        'SCHED_FLAG_RESET_ON_FORK',
        'SCHED_FLAG_RECLAIM',
        'SCHED_FLAG_DL_OVERRUN',
        'SCHED_FLAG_KEEP_POLICY',
        'SCHED_FLAG_KEEP_PARAMS',
        'SCHED_FLAG_UTIL_CLAMP_MIN',
        'SCHED_FLAG_UTIL_CLAMP_MAX',
      ),
    ),
    runtime: optionalUint64,
    deadline: optionalUint64,
    period: optionalUint64,
  })
}

function ioPriority(): Schema<IoPriority> {
  return object<IoPriority>({
    class: oneOf('IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE'),
    // Required by the text of the specification, not by its schema.
    priority: optional(whole(-(2 ** 31), 2 ** 31 - 1)),
  })
}

function execCpuAffinity(): Schema<ExecCpuAffinity> {
  const cpus = optional(matching(/^[0-9, -]*$/, 'a list of CPUs such as 0-3,7'))
  return object<ExecCpuAffinity>({ initial: cpus, final: cpus })
}
