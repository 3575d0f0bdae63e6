/** Structure of `linux.resources`. */
import type {
  BlockIoResources,
  CpuResources,
  DeviceRule,
  HugepageLimit,
  MemoryResources,
  NetworkResources,
  PidsResources,
  RdmaResources,
  Resources,
  Throttle,
  WeightDevice,
} from '../runtime/index.ts'
import {
  flag,
  int64,
  list,
  mapOf,
  matching,
  notNull,
  object,
  optional,
  optionalFlag,
  optionalInt64,
  optionalText,
  optionalTextMap,
  optionalUint32,
  optionalUint64,
  section,
  text,
  uint16,
  uint32,
  uint64,
  type Schema,
} from './leaf.ts'

export function resources(): Schema<Resources> {
  return object<Resources>({
    devices: section(deviceRules),
    memory: section(memory),
    cpu: section(cpu),
    pids: section(() => object<PidsResources>({ limit: notNull(optionalInt64) })),
    blockIO: section(blockIo),
    hugepageLimits: section(hugepageLimits),
    network: section(network),
    rdma: section(() =>
      mapOf(object<RdmaResources>({ hcaHandles: optionalUint32, hcaObjects: optionalUint32 })),
    ),
    unified: optionalTextMap,
  })
}

function deviceRules(): Schema<DeviceRule[]> {
  return list(
    object<DeviceRule>({
      allow: flag,
      type: optionalText,
      major: optional(int64 as Schema<number>),
      minor: optional(int64 as Schema<number>),
      access: optionalText,
    }),
  )
}

function memory(): Schema<MemoryResources> {
  return object<MemoryResources>({
    limit: optionalInt64,
    reservation: optionalInt64,
    swap: optionalInt64,
    kernel: optionalInt64,
    kernelTCP: optionalInt64,
    swappiness: optionalUint64,
    disableOOMKiller: optionalFlag,
    useHierarchy: optionalFlag,
    checkBeforeUpdate: optionalFlag,
  })
}

function cpu(): Schema<CpuResources> {
  return object<CpuResources>({
    shares: optionalUint64,
    quota: optionalInt64,
    burst: optionalUint64,
    period: optionalUint64,
    realtimeRuntime: optionalInt64,
    realtimePeriod: optionalUint64,
    cpus: optionalText,
    mems: optionalText,
    idle: optionalInt64,
  })
}

function blockIo(): Schema<BlockIoResources> {
  const number = int64 as Schema<number>
  const weight = optional(uint16)
  const throttles = section(() =>
    list(object<Throttle>({ major: number, minor: number, rate: optionalUint64 })),
  )
  return object<BlockIoResources>({
    weight,
    leafWeight: weight,
    weightDevice: section(() =>
      list(object<WeightDevice>({ major: number, minor: number, weight, leafWeight: weight })),
    ),
    throttleReadBpsDevice: throttles,
    throttleWriteBpsDevice: throttles,
    throttleReadIOPSDevice: throttles,
    throttleWriteIOPSDevice: throttles,
  })
}

function hugepageLimits(): Schema<HugepageLimit[]> {
  return list(
    object<HugepageLimit>({
      pageSize: matching(/^[1-9][0-9]*[KMG]B$/, 'a page size such as 2MB'),
      limit: uint64,
    }),
  )
}

function network(): Schema<NetworkResources> {
  return object<NetworkResources>({
    classID: optionalUint32,
    priorities: optional(list(object<{ name: string; priority: number }>({ name: text, priority: uint32 }))),
  })
}
