/** `linux` of config.json (config-linux.md). */
import type { IdMapping, Namespace, TimeOffsets } from './namespaces.ts'
import type { Resources } from './resources.ts'
import type { Seccomp } from './seccomp.ts'

/** config-linux.md. */
export interface Linux {
  /** What is not listed is shared with the runtime ("Namespaces"). */
  namespaces?: Namespace[] | null
  /** Need a user namespace ("User namespace mappings"). */
  uidMappings?: IdMapping[] | null
  /** As `uidMappings`. */
  gidMappings?: IdMapping[] | null
  /** "Offset for Time Namespace". */
  timeOffsets?: TimeOffsets | null
  /** Beside the default ones ("Devices"). */
  devices?: Device[] | null
  /** Interfaces of the host by their names there ("Network Devices"). */
  netDevices?: Record<string, NetDevice>
  /** Absolute counts from the mount point of the cgroups ("Cgroups Path"). */
  cgroupsPath?: string
  /** Limits and accounting ("Control groups"). */
  resources?: Resources | null
  /** How mounts of the root spread: `private`, `shared`, `slave` or `unbindable` ("Rootfs Mount Propagation"). */
  rootfsPropagation?: string
  /** System call filter ("Seccomp"). */
  seccomp?: Seccomp | null
  /** Kernel parameters of the container's namespaces ("Sysctl"). */
  sysctl?: Record<string, string> | null
  /** Absolute paths inside that cannot be read ("Masked Paths"). */
  maskedPaths?: string[] | null
  /** Absolute paths inside that cannot be written ("Readonly Paths"). */
  readonlyPaths?: string[] | null
  /** SELinux context of the mounts ("Mount Label"). */
  mountLabel?: string
  /** "IntelRdt". */
  intelRdt?: IntelRdt
  /** "Memory policy". */
  memoryPolicy?: MemoryPolicy
  /** "Personality". */
  personality?: Personality
}

/** config-linux.md, "Devices". */
export interface Device {
  /** Character, block, unbuffered character, FIFO. */
  type: 'c' | 'b' | 'u' | 'p'
  /** Absolute path inside. */
  path: string
  /** Required unless `type` is `p`. */
  major?: number
  /** As `major`. */
  minor?: number
  /** Decimal: 438 is 0666. */
  fileMode?: number
  /** Owner inside. */
  uid?: number
  /** Group inside. */
  gid?: number
}

/** config-linux.md, "Network Devices". */
export interface NetDevice {
  /** Name inside, at most 15 bytes; the one outside if absent. */
  name?: string
}

/** config-linux.md, "IntelRdt": files of the resctrl file system. */
export interface IntelRdt {
  /** Directory of the class; the container's id if absent, `/` is the default class. */
  closID?: string
  /** A line for the level 3 cache, without newlines. */
  l3CacheSchema?: string
  /** A line that starts with `MB:`. */
  memBwSchema?: string
  /** Lines, written after the other two. */
  schemata?: string[]
  /** Whether the container gets a monitoring group of its own. */
  enableMonitoring?: boolean
}

/** config-linux.md, "Memory policy": set_mempolicy(2). */
export interface MemoryPolicy {
  /** `MPOL_…`. */
  mode: string
  /** A list such as `0-3,7`. */
  nodes?: string
  /** `MPOL_F_…`. */
  flags?: string[]
}

/** config-linux.md, "Personality": personality(2). */
export interface Personality {
  /** `LINUX32` makes uname(2) name a 32-bit machine. */
  domain: 'LINUX' | 'LINUX32'
  /** None is defined. */
  flags?: string[]
}
