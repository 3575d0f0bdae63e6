/**
 * config.json of the OCI runtime specification 1.3 as far as Linux goes. Names are the specification's; every property
 * it lists for Linux is here, whether or not this version executes it.
 */

/** The container's configuration (config.md). */
export interface RuntimeSpec {
  /** SemVer of the specification the document follows, e.g. `1.3.0`. */
  ociVersion: string
  root?: Root
  mounts?: Mount[] | null
  process?: Process
  hostname?: string
  domainname?: string
  hooks?: Hooks | null
  annotations?: Record<string, string> | null
  linux?: Linux
  /** Unknown properties are kept (config.md, "Extensibility"). */
  [property: string]: unknown
}

/** config.md, "Root". */
export interface Root {
  /** Absolute, or relative to the bundle. */
  path: string
  readonly?: boolean
}

/** config.md, "Mounts". */
export interface Mount {
  destination: string
  type?: string
  /** For binds absolute, or relative to the bundle. */
  source?: string
  options?: string[]
  uidMappings?: IdMapping[]
  gidMappings?: IdMapping[]
}

/** config.md, "Process". */
export interface Process {
  terminal?: boolean
  /** In characters; ignored without a terminal. */
  consoleSize?: { height: number; width: number }
  user?: User
  args?: string[]
  /** Windows only. */
  commandLine?: string
  /** `NAME=value`. */
  env?: string[]
  /** Absolute. */
  cwd: string
  capabilities?: Capabilities
  rlimits?: Rlimit[]
  noNewPrivileges?: boolean
  apparmorProfile?: string
  selinuxLabel?: string
  /** -1000 to 1000. */
  oomScoreAdj?: number
  scheduler?: Scheduler
  ioPriority?: { class: 'IOPRIO_CLASS_RT' | 'IOPRIO_CLASS_BE' | 'IOPRIO_CLASS_IDLE'; priority: number }
  execCPUAffinity?: { initial?: string; final?: string }
}

export interface User {
  uid: number
  gid: number
  /** Decimal: 18 is 022. */
  umask?: number
  additionalGids?: number[]
  /** Windows only. */
  username?: string
}

/** Names such as `CAP_KILL` (capabilities(7)). */
export interface Capabilities {
  bounding?: string[]
  effective?: string[]
  inheritable?: string[]
  permitted?: string[]
  ambient?: string[]
}

/** setrlimit(2); 18446744073709551615 (as `bigint`) is unlimited. */
export interface Rlimit {
  type: string
  soft: number | bigint
  hard: number | bigint
}

/** sched_setattr(2). */
export interface Scheduler {
  policy: string
  nice?: number
  priority?: number
  flags?: string[]
  /** Nanoseconds, as are deadline and period. */
  runtime?: number | bigint
  deadline?: number | bigint
  period?: number | bigint
}

/** config.md, "POSIX-platform Hooks", in the order they run. */
export interface Hooks {
  prestart?: Hook[] | null
  createRuntime?: Hook[] | null
  createContainer?: Hook[] | null
  startContainer?: Hook[] | null
  poststart?: Hook[] | null
  poststop?: Hook[] | null
}

export interface Hook {
  /** Absolute. */
  path: string
  args?: string[]
  env?: string[]
  /** Seconds, above 0. */
  timeout?: number
}

/** config-linux.md. */
export interface Linux {
  namespaces?: Namespace[] | null
  uidMappings?: IdMapping[] | null
  gidMappings?: IdMapping[] | null
  timeOffsets?: { monotonic?: TimeOffset; boottime?: TimeOffset } | null
  devices?: Device[] | null
  netDevices?: Record<string, { name?: string }>
  cgroupsPath?: string
  resources?: Resources | null
  rootfsPropagation?: string
  seccomp?: Seccomp | null
  sysctl?: Record<string, string> | null
  maskedPaths?: string[] | null
  readonlyPaths?: string[] | null
  mountLabel?: string
  intelRdt?: {
    closID?: string
    l3CacheSchema?: string
    memBwSchema?: string
    schemata?: string[]
    enableMonitoring?: boolean
  }
  memoryPolicy?: { mode: string; nodes?: string; flags?: string[] }
  personality?: { domain: 'LINUX' | 'LINUX32'; flags?: string[] }
}

export interface Namespace {
  type: 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time'
  /** Joined instead of made. */
  path?: string
}

export interface IdMapping {
  containerID: number
  hostID: number
  size: number
}

export interface TimeOffset {
  secs?: number
  nanosecs?: number
}

export interface Device {
  type: 'c' | 'b' | 'u' | 'p'
  path: string
  major?: number
  minor?: number
  /** Decimal: 438 is 0666. */
  fileMode?: number
  uid?: number
  gid?: number
}

/** config-linux.md, "Control groups". */
export interface Resources {
  devices?: DeviceRule[] | null
  memory?: MemoryResources
  cpu?: CpuResources
  pids?: { limit?: number | bigint }
  blockIO?: BlockIoResources
  hugepageLimits?: { pageSize: string; limit: number | bigint }[]
  network?: { classID?: number; priorities?: { name: string; priority: number }[] }
  rdma?: Record<string, { hcaHandles?: number; hcaObjects?: number }>
  /** Files of cgroup version 2 and their values. */
  unified?: Record<string, string>
}

export interface DeviceRule {
  allow: boolean
  type?: 'a' | 'b' | 'c'
  major?: number
  minor?: number
  /** Of `r`, `w`, `m`. */
  access?: string
}

/** Bytes; -1 is unlimited. */
export interface MemoryResources {
  limit?: number | bigint
  reservation?: number | bigint
  /** Memory and swap together. */
  swap?: number | bigint
  kernel?: number | bigint
  kernelTCP?: number | bigint
  /** 0 to 100. */
  swappiness?: number
  disableOOMKiller?: boolean
  useHierarchy?: boolean
  checkBeforeUpdate?: boolean
}

/** Times in microseconds. */
export interface CpuResources {
  /** Relative weight, 2 to 262144; 1024 is usual. */
  shares?: number
  quota?: number | bigint
  burst?: number
  period?: number
  realtimeRuntime?: number
  realtimePeriod?: number
  /** Lists such as `0-3,7`. */
  cpus?: string
  mems?: string
  idle?: number
}

export interface BlockIoResources {
  weight?: number
  leafWeight?: number
  weightDevice?: { major: number; minor: number; weight?: number; leafWeight?: number }[]
  throttleReadBpsDevice?: Throttle[]
  throttleWriteBpsDevice?: Throttle[]
  throttleReadIOPSDevice?: Throttle[]
  throttleWriteIOPSDevice?: Throttle[]
}

export interface Throttle {
  major: number
  minor: number
  /** Bytes or operations per second. */
  rate: number | bigint
}

/** config-linux.md, "Seccomp". */
export interface Seccomp {
  defaultAction: string
  defaultErrnoRet?: number
  architectures?: string[] | null
  flags?: string[]
  listenerPath?: string
  listenerMetadata?: string
  syscalls?: SeccompRule[] | null
}

export interface SeccompRule {
  names: string[]
  action: string
  errnoRet?: number
  args?: { index: number; value: number | bigint; valueTwo?: number | bigint; op: string }[] | null
}
