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
import { SECCOMP_ACTIONS, SECCOMP_ARCHITECTURES, SECCOMP_FLAGS, SECCOMP_OPERATORS } from '../runtime/names.ts'

export function seccomp(): Schema<Seccomp> {
  const action = oneOf(...SECCOMP_ACTIONS)
  return object<Seccomp>({
    defaultAction: action,
    defaultErrnoRet: optionalUint32,
    architectures: optional(listOf(...SECCOMP_ARCHITECTURES)),
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
      op: oneOf(...SECCOMP_OPERATORS),
    }),
  )
}
