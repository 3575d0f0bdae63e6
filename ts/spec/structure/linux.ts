/** Structure of `linux`. */
import type {
  Device,
  IdMapping,
  IntelRdt,
  Linux,
  MemoryPolicy,
  Namespace,
  NetDevice,
  Personality,
  TimeOffset,
  TimeOffsets,
} from '../runtime/index.ts'
import { NAMESPACES } from '../runtime/names.ts'
import {
  int64,
  list,
  listOf,
  mapOf,
  matching,
  notNull,
  object,
  oneOf,
  optional,
  optionalFlag,
  optionalInt64,
  optionalText,
  optionalTextMap,
  optionalTexts,
  optionalUint32,
  section,
  text,
  uint32,
  whole,
  type Optional,
  type Schema,
} from './leaf.ts'
import { resources } from './resources.ts'
import { seccomp } from './seccomp.ts'

let mappings: Optional<IdMapping[]> | undefined
/** One schema for the mappings of the container and of mounts. */
export function optionalMappings(): Optional<IdMapping[]> {
  return (mappings ??= section(() =>
    list(object<IdMapping>({ containerID: uint32, hostID: uint32, size: uint32 })),
  ))
}

export function linux(): Schema<Linux> {
  return object<Linux>({
    namespaces: optional(list(object<Namespace>({ type: oneOf(...NAMESPACES), path: optionalText }))),
    uidMappings: optionalMappings(),
    gidMappings: optionalMappings(),
    timeOffsets: section(timeOffsets),
    devices: section(devices),
    netDevices: section(() => mapOf(object<NetDevice>({ name: optionalText }))),
    cgroupsPath: optionalText,
    resources: section(resources),
    rootfsPropagation: optional(oneOf('private', 'shared', 'slave', 'unbindable')),
    seccomp: section(seccomp),
    sysctl: optionalTextMap,
    maskedPaths: optionalTexts,
    readonlyPaths: optionalTexts,
    mountLabel: optionalText,
    intelRdt: section(intelRdt),
    memoryPolicy: section(memoryPolicy),
    personality: section(() =>
      object<Personality>({ domain: optional(oneOf('LINUX', 'LINUX32')), flags: optionalTexts }),
    ),
  })
}

function timeOffsets(): Schema<TimeOffsets> {
  const offset = notNull(optional(object<TimeOffset>({ secs: optionalInt64, nanosecs: optionalUint32 })))
  return object<TimeOffsets>({ monotonic: offset, boottime: offset })
}

function devices(): Schema<Device[]> {
  const number = optional(int64 as Schema<number>)
  return list(
    object<Device>({
      type: oneOf('c', 'b', 'u', 'p'),
      path: text,
      major: number,
      minor: number,
      fileMode: optional(whole(0, 0o777)),
      uid: optionalUint32,
      gid: optionalUint32,
    }),
  )
}

function intelRdt(): Schema<IntelRdt> {
  return object<IntelRdt>({
    closID: optionalText,
    l3CacheSchema: optionalText,
    memBwSchema: optional(matching(/^MB:[^\n\0]*$/, 'one line that starts with MB:')),
    schemata: optionalTexts,
    enableMonitoring: optionalFlag,
  })
}

function memoryPolicy(): Schema<MemoryPolicy> {
  return object<MemoryPolicy>({
    // Required by the text of the specification, not by its schema.
    mode: optional(
      oneOf(
        'MPOL_DEFAULT',
        'MPOL_BIND',
        'MPOL_INTERLEAVE',
        'MPOL_WEIGHTED_INTERLEAVE',
        'MPOL_PREFERRED',
        'MPOL_PREFERRED_MANY',
        'MPOL_LOCAL',
      ),
    ),
    nodes: optionalText,
    flags: optional(listOf('MPOL_F_NUMA_BALANCING', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_STATIC_NODES')),
  })
}
