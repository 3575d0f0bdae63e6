/** Filters of system calls, seen by what programs get. */
import { all, linux, process, program, user, userNamespace, type Change, type Table } from './edit.ts'

const ARCHITECTURES = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']
const filter = (change: object): Change =>
  linux({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', architectures: ARCHITECTURES, ...change } })
const rule = (names: string[], action: string, more: object = {}): object => ({ names, action, ...more })
const arg = (index: number, value: number, op: string, valueTwo?: number): object => ({
  index,
  value,
  op,
  ...(valueTwo === undefined ? {} : { valueTwo }),
})
/** `umask` is one call with one argument. */
const UMASK = 'umask 027 2>&1; umask; umask 022; umask'
const MAKES = 'mkdir /dev/shm/made; echo $?; ls /dev/shm'
const makes = (change: object): Change => all(filter(change), program('sh', '-c', MAKES))
const DIRECTORIES = ['mkdir', 'mkdirat']

export const filters: Table = {
  'a filter that allows all': filter({}),
  'a filter without rules and architectures': linux({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } }),
  'a filter with an error': makes({ syscalls: [rule(DIRECTORIES, 'SCMP_ACT_ERRNO')] }),
  'a filter with an error of its own': makes({
    syscalls: [rule(DIRECTORIES, 'SCMP_ACT_ERRNO', { errnoRet: 28 })],
  }),
  'a filter with an error that is success': makes({
    syscalls: [rule(DIRECTORIES, 'SCMP_ACT_ERRNO', { errnoRet: 0 })],
  }),
  'a filter that ends the process': makes({ syscalls: [rule(DIRECTORIES, 'SCMP_ACT_KILL_PROCESS')] }),
  'a filter that ends the thread': makes({ syscalls: [rule(DIRECTORIES, 'SCMP_ACT_KILL_THREAD')] }),
  'a filter that kills': makes({ syscalls: [rule(DIRECTORIES, 'SCMP_ACT_KILL')] }),
  'a filter that traps': makes({ syscalls: [rule(DIRECTORIES, 'SCMP_ACT_TRAP')] }),
  'a filter that asks a tracer': makes({ syscalls: [rule(DIRECTORIES, 'SCMP_ACT_TRACE', { errnoRet: 1 })] }),
  'a filter that logs': makes({ syscalls: [rule(DIRECTORIES, 'SCMP_ACT_LOG')] }),
  'a rule that says what the default says': makes({ syscalls: [rule(DIRECTORIES, 'SCMP_ACT_ALLOW')] }),
  'a rule for a call that is unknown': makes({
    syscalls: [rule(['no_such_call', ...DIRECTORIES], 'SCMP_ACT_ERRNO')],
  }),
  'a rule for an equal argument': all(
    filter({
      syscalls: [rule(['umask'], 'SCMP_ACT_ERRNO', { errnoRet: 0, args: [arg(0, 0o27, 'SCMP_CMP_EQ')] })],
    }),
    program('sh', '-c', UMASK),
  ),
  'a rule for a smaller argument': all(
    filter({
      syscalls: [rule(['umask'], 'SCMP_ACT_ERRNO', { errnoRet: 0, args: [arg(0, 0o26, 'SCMP_CMP_GT')] })],
    }),
    program('sh', '-c', UMASK),
  ),
  'a rule for a masked argument': all(
    filter({
      syscalls: [
        rule(['umask'], 'SCMP_ACT_ERRNO', { errnoRet: 0, args: [arg(0, 0o5, 'SCMP_CMP_MASKED_EQ', 0o5)] }),
      ],
    }),
    program('sh', '-c', UMASK),
  ),
  'two rules for one call': all(
    filter({
      syscalls: [
        rule(['umask'], 'SCMP_ACT_ERRNO', { errnoRet: 0, args: [arg(0, 0o27, 'SCMP_CMP_EQ')] }),
        rule(['umask'], 'SCMP_ACT_ERRNO', { errnoRet: 0, args: [arg(0, 0o22, 'SCMP_CMP_EQ')] }),
      ],
    }),
    program('sh', '-c', UMASK),
  ),
  'a filter for an ordinary user': all(
    makes({ syscalls: [rule(DIRECTORIES, 'SCMP_ACT_ERRNO')] }),
    user({ uid: 1000, gid: 1000 }),
  ),
  'a filter where new privileges are allowed': all(
    makes({ syscalls: [rule(DIRECTORIES, 'SCMP_ACT_ERRNO')] }),
    process({ noNewPrivileges: false }),
  ),
  'a filter for an ordinary user that may gain privileges': all(
    makes({ syscalls: [rule(DIRECTORIES, 'SCMP_ACT_ERRNO')] }),
    user({ uid: 1000, gid: 1000 }),
    process({ noNewPrivileges: false }),
  ),
  'a filter in a user namespace': all(
    makes({ syscalls: [rule(DIRECTORIES, 'SCMP_ACT_ERRNO')] }),
    userNamespace([0, 0, 100_000]),
  ),
  'a filter with a flag': filter({ flags: ['SECCOMP_FILTER_FLAG_LOG'] }),
  'a filter of unknown action': filter({ defaultAction: 'SCMP_ACT_PRAY' }),
  'a filter of unknown architecture': filter({ architectures: ['SCMP_ARCH_PDP11'] }),
  'a filter without a default': linux({ seccomp: { syscalls: [] } }),
  'an argument with an unknown operator': filter({
    syscalls: [rule(['umask'], 'SCMP_ACT_ERRNO', { args: [arg(0, 1, 'SCMP_CMP_ALMOST')] })],
  }),
  'an argument that no call has': filter({
    syscalls: [rule(['umask'], 'SCMP_ACT_ERRNO', { args: [arg(6, 1, 'SCMP_CMP_EQ')] })],
  }),
}
