/** `linux.seccomp` of config.json (config-linux.md, "Seccomp"). */

/** config-linux.md, "Seccomp". */
export interface Seccomp {
  /** What happens to calls without a rule: `SCMP_ACT_…`. */
  defaultAction: string
  /** errno for a `defaultAction` of SCMP_ACT_ERRNO or SCMP_ACT_TRACE. */
  defaultErrnoRet?: number
  /** `SCMP_ARCH_…`. */
  architectures?: string[] | null
  /** `SECCOMP_FILTER_FLAG_…`. */
  flags?: string[]
  /** Socket to which the descriptor of SCMP_ACT_NOTIFY is sent. */
  listenerPath?: string
  /** Sent along; needs `listenerPath`. */
  listenerMetadata?: string
  /** The rules. */
  syscalls?: SeccompRule[] | null
}

/** config-linux.md, "Seccomp", `syscalls`. */
export interface SeccompRule {
  /** At least one; calls the kernel does not know are passed over. */
  names: string[]
  /** `SCMP_ACT_…`. */
  action: string
  /** errno for an `action` of SCMP_ACT_ERRNO or SCMP_ACT_TRACE. */
  errnoRet?: number
  /** All of them must hold. */
  args?: SeccompArg[] | null
}

/** config-linux.md, "Seccomp", `args`. */
export interface SeccompArg {
  /** Of the call's arguments, 0 to 5. */
  index: number
  /** Up to 2^64 - 1; the mask of SCMP_CMP_MASKED_EQ. */
  value: number | bigint
  /** What SCMP_CMP_MASKED_EQ compares with. */
  valueTwo?: number | bigint
  /** `SCMP_CMP_…`. */
  op: string
}

/** config-linux.md, "The Container Process State": what the socket of `listenerPath` receives. */
export interface ContainerProcessState {
  /** SemVer of the specification the state follows. */
  ociVersion: string
  /** Names of the descriptors sent along; `seccompFd` is one. */
  fds: string[]
  /** As the runtime sees it. */
  pid: number
  /** `listenerMetadata`. */
  metadata?: string
  /** State of the container. */
  state: import('./state.ts').RuntimeState
}
