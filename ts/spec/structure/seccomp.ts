/** Structure of `linux.seccomp`. */
import type { Seccomp, SeccompArg, SeccompRule } from '../runtime/index.ts'
import {
  list,
  listOf,
  object,
  oneOf,
  optional,
  optionalText,
  optionalUint32,
  optionalUint64,
  section,
  someTexts,
  uint32,
  uint64,
  type Schema,
} from './leaf.ts'

export const ACTIONS = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
] as const

export const ARCHITECTURES: readonly string[] = [
  'X86',
  'X86_64',
  'X32',
  'ARM',
  'AARCH64',
  'LOONGARCH64',
  'M68K',
  'MIPS',
  'MIPS64',
  'MIPS64N32',
  'MIPSEL',
  'MIPSEL64',
  'MIPSEL64N32',
  'PPC',
  'PPC64',
  'PPC64LE',
  'S390',
  'S390X',
  'SH',
  'SHEB',
  'PARISC',
  'PARISC64',
  'RISCV64',
].map((name) => `SCMP_ARCH_${name}`)

export const SECCOMP_FLAGS: readonly string[] = ['TSYNC', 'LOG', 'SPEC_ALLOW', 'WAIT_KILLABLE_RECV'].map(
  (name) => `SECCOMP_FILTER_FLAG_${name}`,
)

export const OPERATORS: readonly string[] = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'].map(
  (name) => `SCMP_CMP_${name}`,
)

export function seccomp(): Schema<Seccomp> {
  const action = oneOf(...ACTIONS)
  return object<Seccomp>({
    defaultAction: action,
    defaultErrnoRet: optionalUint32,
    architectures: optional(listOf(...ARCHITECTURES)),
    flags: optional(listOf(...SECCOMP_FLAGS)),
    listenerPath: optionalText,
    listenerMetadata: optionalText,
    syscalls: optional(
      list(
        object<SeccompRule>({
          names: someTexts('a list with at least one name'),
          action,
          errnoRet: optionalUint32,
          args: section(args),
        }),
      ),
    ),
  })
}

function args(): Schema<SeccompArg[]> {
  return list(
    object<SeccompArg>({
      index: uint32,
      value: uint64,
      valueTwo: optionalUint64,
      op: oneOf(...OPERATORS),
    }),
  )
}
