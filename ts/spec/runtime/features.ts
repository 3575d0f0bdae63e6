/** What a runtime can do (features.md, features-linux.md): what `features` prints. Absent means unknown. */

/** features.md. */
export interface RuntimeFeatures {
  /** SemVer, the oldest that is understood. */
  ociVersionMin: string
  /** SemVer, the newest that is understood. */
  ociVersionMax: string
  /** Names of the lists in `hooks`. */
  hooks?: string[]
  /** Whether or not the host has them. */
  mountOptions?: string[]
  /** features-linux.md. */
  linux?: LinuxFeatures
  /** About the runtime itself. */
  annotations?: Record<string, string>
  /** Annotations of config.json that change how the runtime behaves; a final `.` means every key below. */
  potentiallyUnsafeConfigAnnotations?: string[]
  [property: string]: unknown
}

/** features-linux.md. */
export interface LinuxFeatures {
  /** Types for `linux.namespaces`. */
  namespaces?: string[]
  /** `CAP_…`. */
  capabilities?: string[]
  /** "Cgroup". */
  cgroup?: CgroupFeatures
  /** "Seccomp". */
  seccomp?: SeccompFeatures
  /** "AppArmor": whether the runtime can set a profile. */
  apparmor?: { enabled?: boolean }
  /** "SELinux": whether the runtime can set a label. */
  selinux?: { enabled?: boolean }
  /** "Intel RDT": classes, `schemata`, monitoring groups. */
  intelRdt?: { enabled?: boolean; schemata?: boolean; monitoring?: boolean }
  /** "MemoryPolicy": `MPOL_…` and `MPOL_F_…`. */
  memoryPolicy?: { modes?: string[]; flags?: string[] }
  /** "Mount Extensions": mounts with mappings of their own. */
  mountExtensions?: { idmap?: { enabled?: boolean } }
  /** "Net Devices": whether interfaces can be moved. */
  netDevices?: { enabled?: boolean }
}

/** features-linux.md, "Cgroup". */
export interface CgroupFeatures {
  /** Whether version 1 is supported. */
  v1?: boolean
  /** Whether version 2 is supported. */
  v2?: boolean
  /** The manager of the system. */
  systemd?: boolean
  /** The manager of a user's session. */
  systemdUser?: boolean
  /** Whether its controller is supported. */
  rdma?: boolean
}

/** features-linux.md, "Seccomp". */
export interface SeccompFeatures {
  /** Whether filters are supported. */
  enabled?: boolean
  /** `SCMP_ACT_…`. */
  actions?: string[]
  /** `SCMP_CMP_…`. */
  operators?: string[]
  /** `SCMP_ARCH_…`. */
  archs?: string[]
  /** `SECCOMP_FILTER_FLAG_…`. */
  knownFlags?: string[]
  /** Those the kernel has too. */
  supportedFlags?: string[]
}
