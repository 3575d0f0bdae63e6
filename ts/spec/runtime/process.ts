/** `process` of config.json (config.md, "Process"). */

/** config.md, "Process". */
export interface Process {
  /** Whether the program gets a terminal; false by default. */
  terminal?: boolean
  /** Size of the terminal; ignored without one. */
  consoleSize?: ConsoleSize
  /** Whom the program runs as ("User"). */
  user?: User
  /** Program and arguments, at least one (required everywhere but on Windows). */
  args?: string[]
  /** Windows only: instead of `args`. */
  commandLine?: string
  /** `NAME=value`, as execve(2) takes them. */
  env?: string[]
  /** Working directory, absolute. */
  cwd: string
  /** Linux: the five sets of capabilities(7). */
  capabilities?: Capabilities
  /** One entry for each type ("POSIX process"). */
  rlimits?: Rlimit[]
  /** Linux: no gain of privileges on exec. */
  noNewPrivileges?: boolean
  /** Linux: name of a loaded profile. */
  apparmorProfile?: string
  /** Linux: label of the process. */
  selinuxLabel?: string
  /** Linux: -1000 to 1000. */
  oomScoreAdj?: number
  /** Linux: sched_setattr(2). */
  scheduler?: Scheduler
  /** Linux: ioprio_set(2). */
  ioPriority?: IoPriority
  /** Linux: the CPUs of programs that are executed in a running container. */
  execCPUAffinity?: ExecCpuAffinity
}

/** config.md, "Process", `consoleSize`. */
export interface ConsoleSize {
  /** Characters. */
  height: number
  /** Characters. */
  width: number
}

/** config.md, "User". */
export interface User {
  /** As the container sees it; required on POSIX platforms, 0 if absent in practice. */
  uid: number
  /** As `uid`. */
  gid: number
  /** Decimal: 18 is 022; the caller's if absent. */
  umask?: number
  /** As the container sees them. */
  additionalGids?: number[]
  /** Windows only. */
  username?: string
}

/** config.md, "Linux process": names such as `CAP_KILL` (capabilities(7)). */
export interface Capabilities {
  /** What an exec can gain at most. */
  bounding?: string[]
  /** What the kernel checks. */
  effective?: string[]
  /** Kept over an exec of a file that inherits them. */
  inheritable?: string[]
  /** What may become effective. */
  permitted?: string[]
  /** Kept over any exec; each must be permitted and inheritable. */
  ambient?: string[]
}

/** config.md, "POSIX process"; units as in setrlimit(2). */
export interface Rlimit {
  /** `RLIMIT_NOFILE` and its like. */
  type: string
  /** At most `hard`; 18446744073709551615 (as `bigint`) is unlimited. */
  soft: number | bigint
  /** As `soft`. */
  hard: number | bigint
}

/** config.md, "Linux process", `scheduler`. */
export interface Scheduler {
  /** `SCHED_OTHER` and its like. */
  policy: string
  /** -20 to 19, for SCHED_OTHER and SCHED_BATCH. */
  nice?: number
  /** 1 to 99, for SCHED_FIFO and SCHED_RR. */
  priority?: number
  /** `SCHED_FLAG_…`. */
  flags?: string[]
  /** Nanoseconds, for SCHED_DEADLINE. */
  runtime?: number | bigint
  /** Nanoseconds, for SCHED_DEADLINE. */
  deadline?: number | bigint
  /** Nanoseconds, for SCHED_DEADLINE. */
  period?: number | bigint
}

/** config.md, "Linux process", `ioPriority`. */
export interface IoPriority {
  /** Realtime, best effort, or idle. */
  class: 'IOPRIO_CLASS_RT' | 'IOPRIO_CLASS_BE' | 'IOPRIO_CLASS_IDLE'
  /** 0 (first) to 7. */
  priority: number
}

/** config.md, "Linux process", `execCPUAffinity`: lists such as `0-3,7`. */
export interface ExecCpuAffinity {
  /** Before the cgroup of the container is joined. */
  initial?: string
  /** After that. */
  final?: string
}
