/** Structure of the sections for other platforms. They are passed through, but wrong types are reported. */
import type {
  FreeBsd,
  FreeBsdAllow,
  FreeBsdDevice,
  FreeBsdJail,
  Solaris,
  SolarisNetwork,
  Vm,
  VmHardware,
  Windows,
  WindowsCpu,
  WindowsDevice,
  WindowsNetwork,
  WindowsResources,
  WindowsStorage,
  Zos,
  ZosNamespace,
} from '../runtime/index.ts'
import {
  leaf,
  list,
  object,
  oneOf,
  optional,
  optionalFlag,
  optionalText,
  optionalTexts,
  optionalUint32,
  optionalUint64,
  section,
  someTexts,
  text,
  uint16,
  uint32,
  uint64,
  whole,
  type Schema,
} from './leaf.ts'

const anyObject = (): Schema<object> =>
  leaf('an object', (value) => typeof value === 'object' && value !== null && !Array.isArray(value))

export function windows(): Schema<Windows> {
  const short = optional(uint16)
  const affinity = object<{ mask: number | bigint; group: number }>({
    mask: optionalUint64,
    group: optionalUint32,
  })
  return object<Windows>({
    layerFolders: someTexts('a list with at least one folder'),
    devices: optional(list(object<WindowsDevice>({ id: text, idType: oneOf('class') }))),
    resources: section(() =>
      object<WindowsResources>({
        memory: optional(object<{ limit?: number | bigint }>({ limit: optionalUint64 })),
        cpu: optional(
          object<WindowsCpu>({
            count: optionalUint64,
            shares: short,
            maximum: short,
            affinity: optional(list(affinity)),
          }),
        ),
        storage: optional(
          object<WindowsStorage>({ iops: optionalUint64, bps: optionalUint64, sandboxSize: optionalUint64 }),
        ),
      }),
    ),
    network: section(() =>
      object<WindowsNetwork>({
        endpointList: optionalTexts,
        allowUnqualifiedDNSQuery: optionalFlag,
        DNSSearchList: optionalTexts,
        networkSharedContainerName: optionalText,
        networkNamespace: optionalText,
      }),
    ),
    credentialSpec: optional(anyObject()),
    servicing: optionalFlag,
    ignoreFlushesDuringBoot: optionalFlag,
    hyperv: optional(object<{ utilityVMPath?: string }>({ utilityVMPath: optionalText })),
  })
}

export function vm(): Schema<Vm> {
  return object<Vm>({
    hypervisor: optional(object<NonNullable<Vm['hypervisor']>>({ path: text, parameters: optionalTexts })),
    kernel: object<Vm['kernel']>({ path: text, parameters: optionalTexts, initrd: optionalText }),
    image: optional(
      object<NonNullable<Vm['image']>>({ path: text, format: oneOf('raw', 'qcow2', 'vdi', 'vmdk', 'vhd') }),
    ),
    hwConfig: section(() =>
      object<VmHardware>({
        deviceTree: optionalText,
        vcpus: optionalUint32,
        memory: optionalUint64,
        dtdevs: optionalTexts,
        iomems: optional(
          list(
            object<NonNullable<VmHardware['iomems']>[number]>({
              firstGFN: optionalUint64,
              firstMFN: uint64,
              nrMFNs: uint64,
            }),
          ),
        ),
        irqs: optional(list(uint32)),
      }),
    ),
  })
}

export function solaris(): Schema<Solaris> {
  return object<Solaris>({
    milestone: optionalText,
    limitpriv: optionalText,
    maxShmMemory: optionalText,
    cappedCPU: optional(object<{ ncpus?: string }>({ ncpus: optionalText })),
    cappedMemory: optional(
      object<{ physical?: string; swap?: string }>({ physical: optionalText, swap: optionalText }),
    ),
    anet: optional(
      list(
        object<SolarisNetwork>({
          linkname: optionalText,
          lowerLink: optionalText,
          allowedAddress: optionalText,
          configureAllowedAddress: optionalText,
          defrouter: optionalText,
          macAddress: optionalText,
          linkProtection: optionalText,
        }),
      ),
    ),
  })
}

export function zos(): Schema<Zos> {
  return object<Zos>({
    namespaces: optional(
      list(object<ZosNamespace>({ type: oneOf('mount', 'pid', 'uts', 'ipc'), path: optionalText })),
    ),
  })
}

export function freebsd(): Schema<FreeBsd> {
  return object<FreeBsd>({
    devices: optional(list(object<FreeBsdDevice>({ path: optionalText, mode: optional(whole(0, 0o777)) }))),
    jail: section(jail),
  })
}

function jail(): Schema<FreeBsdJail> {
  const sharing = optional(oneOf('disable', 'new', 'inherit'))
  const always = optional(oneOf('new', 'inherit'))
  return object<FreeBsdJail>({
    parent: optionalText,
    host: always,
    ip4: sharing,
    ip4Addr: optionalTexts,
    ip6: sharing,
    ip6Addr: optionalTexts,
    vnet: always,
    interface: optionalText,
    vnetInterfaces: optionalTexts,
    sysvmsg: sharing,
    sysvsem: sharing,
    sysvshm: sharing,
    enforceStatfs: optional(whole(0, 255)),
    allow: optional(
      object<FreeBsdAllow>({
        setHostname: optionalFlag,
        rawSockets: optionalFlag,
        chflags: optionalFlag,
        mount: optionalTexts,
        quotas: optionalFlag,
        socketAf: optionalFlag,
        mlock: optionalFlag,
        reservedPorts: optionalFlag,
        suser: optionalFlag,
      }),
    ),
  })
}
