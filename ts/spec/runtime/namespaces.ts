/** Namespaces and what belongs to them (config-linux.md, "Namespaces" and on). */

/** config-linux.md, "Namespaces". */
export interface Namespace {
  /** One entry at most for each. */
  type: 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time'
  /** Absolute path in the runtime's mount namespace: joined instead of made. */
  path?: string
}

/** config-linux.md, "User namespace mappings". */
export interface IdMapping {
  /** First id inside. */
  containerID: number
  /** First id outside. */
  hostID: number
  /** Number of ids. */
  size: number
}

/** config-linux.md, "Offset for Time Namespace"; for a time namespace that is made, not joined. */
export interface TimeOffsets {
  /** CLOCK_MONOTONIC. */
  monotonic?: TimeOffset
  /** CLOCK_BOOTTIME. */
  boottime?: TimeOffset
}

/** config-linux.md, "Offset for Time Namespace". */
export interface TimeOffset {
  /** Seconds. */
  secs?: number | bigint
  /** Nanoseconds, below 1000000000. */
  nanosecs?: number
}
