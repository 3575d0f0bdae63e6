/** `linux.resources` of config.json (config-linux.md, "Control groups"). */

/** config-linux.md, "Control groups". */
export interface Resources {
  /** Access rules, applied in this order ("Allowed Device list"). */
  devices?: DeviceRule[] | null
  /** "Memory". */
  memory?: MemoryResources
  /** "CPU". */
  cpu?: CpuResources
  /** "PIDs". */
  pids?: PidsResources
  /** "Block IO". */
  blockIO?: BlockIoResources
  /** One entry for each page size ("Huge page limits"). */
  hugepageLimits?: HugepageLimit[]
  /** Version 1 only ("Network"). */
  network?: NetworkResources
  /** By device, e.g. `mlx5_1` ("RDMA"). */
  rdma?: Record<string, RdmaResources>
  /** Files of cgroup version 2 and what is written to them ("Unified"). */
  unified?: Record<string, string>
}

/** config-linux.md, "Allowed Device list". */
export interface DeviceRule {
  /** Whether the rule allows or denies. */
  allow: boolean
  /** All, block or character devices; all if absent. */
  type?: 'a' | 'b' | 'c'
  /** Every one if absent or -1. */
  major?: number
  /** As `major`. */
  minor?: number
  /** Of `r`ead, `w`rite, `m`knod. */
  access?: string
}

/** config-linux.md, "Memory". Bytes; -1 is unlimited. */
export interface MemoryResources {
  /** Hard limit, bytes. */
  limit?: number | bigint
  /** Soft limit, bytes. */
  reservation?: number | bigint
  /** Memory and swap together, bytes. */
  swap?: number | bigint
  /** Not recommended; bytes. */
  kernel?: number | bigint
  /** Not recommended; bytes. */
  kernelTCP?: number | bigint
  /** 0 to 100. */
  swappiness?: number
  /** Whether a container that is out of memory waits instead of losing a process. */
  disableOOMKiller?: boolean
  /** Whether children are accounted here. */
  useHierarchy?: boolean
  /** Whether a new limit below the present usage is refused. */
  checkBeforeUpdate?: boolean
}

/** config-linux.md, "CPU". Times in microseconds. */
export interface CpuResources {
  /** Relative weight, 2 to 262144; 1024 is usual. */
  shares?: number | bigint
  /** Time in each period; -1 is unlimited. */
  quota?: number | bigint
  /** Time saved up at most; no more than `quota`. */
  burst?: number | bigint
  /** Length of a period. */
  period?: number | bigint
  /** Of realtime tasks, version 1 only. */
  realtimeRuntime?: number | bigint
  /** Of realtime tasks, version 1 only. */
  realtimePeriod?: number | bigint
  /** CPUs as a list such as `0-3,7`. */
  cpus?: string
  /** Memory nodes as a list such as `0-3,7`. */
  mems?: string
  /** 1 is SCHED_IDLE. */
  idle?: number | bigint
}

/** config-linux.md, "PIDs". */
export interface PidsResources {
  /** Tasks at most; -1 is unlimited, 0 is a limit. */
  limit?: number | bigint
}

/** config-linux.md, "Block IO". */
export interface BlockIoResources {
  /** 10 to 1000. */
  weight?: number
  /** 10 to 1000, version 1 only. */
  leafWeight?: number
  /** Weights of single devices. */
  weightDevice?: WeightDevice[]
  /** Bytes per second. */
  throttleReadBpsDevice?: Throttle[]
  /** Bytes per second. */
  throttleWriteBpsDevice?: Throttle[]
  /** Operations per second. */
  throttleReadIOPSDevice?: Throttle[]
  /** Operations per second. */
  throttleWriteIOPSDevice?: Throttle[]
}

/** config-linux.md, "Block IO", `weightDevice`: at least one of the weights. */
export interface WeightDevice {
  /** Number of the device. */
  major: number
  /** As `major`. */
  minor: number
  /** 10 to 1000. */
  weight?: number
  /** 10 to 1000, version 1 only. */
  leafWeight?: number
}

/** config-linux.md, "Block IO", `throttle…Device`. */
export interface Throttle {
  /** Number of the device. */
  major: number
  /** As `major`. */
  minor: number
  /** Bytes or operations per second. */
  rate: number | bigint
}

/** config-linux.md, "Huge page limits". */
export interface HugepageLimit {
  /** A size of the kernel's such as `2MB` or `1GB`. */
  pageSize: string
  /** Bytes. */
  limit: number | bigint
}

/** config-linux.md, "Network"; version 1 only. */
export interface NetworkResources {
  /** Tag of the packets (net_cls). */
  classID?: number
  /** Of interfaces in the runtime's network namespace (net_prio). */
  priorities?: { name: string; priority: number }[]
}

/** config-linux.md, "RDMA": at least one of the two. */
export interface RdmaResources {
  /** Handles at most. */
  hcaHandles?: number
  /** Objects at most. */
  hcaObjects?: number
}
