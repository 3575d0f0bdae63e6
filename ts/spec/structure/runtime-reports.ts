/** Structure of a runtime's reports: the state of a container, and its features. */
import type {
  CgroupFeatures,
  LinuxFeatures,
  RuntimeFeatures,
  RuntimeState,
  SeccompFeatures,
} from '../runtime/index.ts'
import {
  listOf,
  object,
  optional,
  optionalFlag,
  optionalTextMap,
  optionalTexts,
  section,
  text,
  textsMatching,
  whole,
  type Schema,
} from './leaf.ts'
import {
  NAMESPACES,
  SECCOMP_ACTIONS,
  SECCOMP_ARCHITECTURES,
  SECCOMP_FLAGS,
  SECCOMP_OPERATORS,
} from '../runtime/names.ts'

export function runtimeState(): Schema<RuntimeState> {
  return object<RuntimeState>({
    ociVersion: text,
    id: text,
    // The known values are checked by rule/state.ts: runtimes may have more.
    status: text,
    pid: optional(whole(0, Number.MAX_SAFE_INTEGER)),
    bundle: text,
    annotations: optionalTextMap,
  })
}

export function runtimeFeatures(): Schema<RuntimeFeatures> {
  return object<RuntimeFeatures>({
    ociVersionMin: text,
    ociVersionMax: text,
    hooks: optionalTexts,
    mountOptions: optionalTexts,
    linux: section(linuxFeatures),
    annotations: optionalTextMap,
    potentiallyUnsafeConfigAnnotations: optionalTexts,
  })
}

function linuxFeatures(): Schema<LinuxFeatures> {
  const enabled = optional(object<{ enabled?: boolean }>({ enabled: optionalFlag }))
  return object<LinuxFeatures>({
    namespaces: optional(listOf(...NAMESPACES)),
    capabilities: optional(textsMatching(/^CAP_[A-Z_]+$/, 'a name such as CAP_KILL')),
    cgroup: section(() =>
      object<CgroupFeatures>({
        v1: optionalFlag,
        v2: optionalFlag,
        systemd: optionalFlag,
        systemdUser: optionalFlag,
        rdma: optionalFlag,
      }),
    ),
    seccomp: section(() =>
      object<SeccompFeatures>({
        enabled: optionalFlag,
        actions: optional(listOf(...SECCOMP_ACTIONS)),
        operators: optional(listOf(...SECCOMP_OPERATORS)),
        archs: optional(listOf(...SECCOMP_ARCHITECTURES)),
        knownFlags: optional(listOf(...SECCOMP_FLAGS)),
        supportedFlags: optional(listOf(...SECCOMP_FLAGS)),
      }),
    ),
    apparmor: enabled,
    selinux: enabled,
    intelRdt: optional(
      object<NonNullable<LinuxFeatures['intelRdt']>>({
        enabled: optionalFlag,
        schemata: optionalFlag,
        monitoring: optionalFlag,
      }),
    ),
    memoryPolicy: optional(
      object<NonNullable<LinuxFeatures['memoryPolicy']>>({ modes: optionalTexts, flags: optionalTexts }),
    ),
    mountExtensions: optional(object<NonNullable<LinuxFeatures['mountExtensions']>>({ idmap: enabled })),
    netDevices: enabled,
  })
}
