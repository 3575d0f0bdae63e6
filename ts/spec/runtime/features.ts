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
  cgroup?: CgroupFeatures
  seccomp?: SeccompFeatures
  apparmor?: { enabled?: boolean }
  selinux?: { enabled?: boolean }
  intelRdt?: { enabled?: boolean; schemata?: boolean; monitoring?: boolean }
  memoryPolicy?: { modes?: string[]; flags?: string[] }
  mountExtensions?: { idmap?: { enabled?: boolean } }
  netDevices?: { enabled?: boolean }
}

/** features-linux.md, "Cgroup". */
export interface CgroupFeatures {
  v1?: boolean
  v2?: boolean
  /** The manager of the system. */
  systemd?: boolean
  /** The manager of a user's session. */
  systemdUser?: boolean
  rdma?: boolean
}

/** features-linux.md, "Seccomp". */
export interface SeccompFeatures {
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
