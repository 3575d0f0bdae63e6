/** Namespaces and what belongs to them (config-linux.md, "Namespaces" and on). */
import type { NAMESPACES } from './names.ts'

/** config-linux.md, "Namespaces". */
export interface Namespace {
  /** One entry at most for each. */
  type: (typeof NAMESPACES)[number]
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
