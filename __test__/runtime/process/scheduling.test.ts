/** How processors, disks and memory treat the program: `scheduler`, `ioPriority`, `memoryPolicy`, `personality`. */
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { CaissonError, Runtime } from '../../../ts/index.ts'
import type { RuntimeSpec } from '../../../ts/spec/index.ts'
import { bundle } from '../../fixtures/bundle.ts'
import { missing, needs } from '../../fixtures/needs.ts'
import { nextLine, program } from '../../fixtures/program.ts'
import { remains } from '../../fixtures/remains.ts'
import { scratch } from '../../fixtures/rootfs.ts'

const root = join(scratch('scheduling'), 'root')
const runtime = new Runtime({ root })
/** The default configuration is that of an ordinary user where this process is one. */
const container = missing('root') === undefined || missing('userns') === undefined ? test : test.skip
const privileged = needs('root')
let serial = 0

const id = (): string => `scheduling-${process.pid}-${serial++}`

/** What a program prints with such a configuration. */
async function printed(edit: (spec: RuntimeSpec) => void, ...args: string[]): Promise<string> {
  const { stdout } = await runtime.run({ bundle: bundle({ args, edit }) }, undefined, { id: id() })
  return stdout.trimEnd()
}

/** The error of a create, after which nothing is left. */
async function refused(edit: (spec: RuntimeSpec) => void): Promise<CaissonError> {
  const name = id()
  const path = bundle({ edit })
  try {
    const made = await runtime.create(name, { bundle: path, stdio: 'ignore' })
    await made.delete({ force: true })
  } catch (error) {
    const { processes, cgroups, directories } = remains(root, name)
    if (processes.length + cgroups.length + directories.length > 0) {
      throw new Error(`left behind: ${JSON.stringify(remains(root, name))}`, { cause: error })
    }
    if (error instanceof CaissonError) return error
    throw error
  }
  throw new Error('was accepted')
}

const withScheduler =
  (scheduler: object, more: (spec: RuntimeSpec) => void = () => {}) =>
  (spec: RuntimeSpec): void => {
    Object.assign(spec.process!, { scheduler })
    more(spec)
  }

/** Nice value, real-time priority and policy of a process: fields 19, 40 and 41 of proc_pid_stat(5). */
function scheduled(stat: string): number[] {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return [19, 40, 41].map((field) => Number(fields[field - 3]))
}

const seen = async (...arguments_: Parameters<typeof withScheduler>): Promise<number[]> =>
  scheduled(await printed(withScheduler(...arguments_), 'cat', '/proc/self/stat'))

container('policies that every user may have', async (t) => {
  t.deepEqual(await seen({ policy: 'SCHED_OTHER', nice: 19 }), [19, 0, 0])
  t.deepEqual(await seen({ policy: 'SCHED_BATCH', nice: 12 }), [12, 0, 3])
  t.is((await seen({ policy: 'SCHED_IDLE' }))[2], 5)
})

privileged('a nice value below 0, which children do not get after a reset on fork', async (t) => {
  const scheduler = { policy: 'SCHED_OTHER', nice: -7, flags: ['SCHED_FLAG_RESET_ON_FORK'] }
  const script = 'cat /proc/1/stat; cat /proc/self/stat; true'
  const text = await printed(withScheduler(scheduler), 'sh', '-c', script)
  const [first, child] = text.split('\n').map((line) => scheduled(line))
  t.deepEqual(
    [first, child],
    [
      [-7, 0, 0],
      [0, 0, 0],
    ],
  )
})

/** A real-time policy of a group of version 1 needs time of its own: `RT_GROUP_SCHED`. */
function realtime(spec: RuntimeSpec): void {
  const hasGroups = existsSync('/sys/fs/cgroup/cpu/cpu.rt_runtime_us')
  if (hasGroups) spec.linux!.resources = { cpu: { realtimeRuntime: 1000, realtimePeriod: 1_000_000 } }
}

needs('root', 'cgroup')('real-time policies', async (t) => {
  t.deepEqual((await seen({ policy: 'SCHED_FIFO', priority: 5 }, realtime)).slice(1), [5, 1])
  t.deepEqual((await seen({ policy: 'SCHED_RR', priority: 99 }, realtime)).slice(1), [99, 2])
})

const deadline = { policy: 'SCHED_DEADLINE', runtime: 1e6, deadline: 3e7, period: 3e7 }

privileged('a deadline, with and without children', async (t) => {
  t.is((await seen(deadline))[2], 6)
  const flags = ['SCHED_FLAG_RESET_ON_FORK']
  const hooks = { startContainer: [{ path: '/bin/true' }] }
  const withHook = await seen({ ...deadline, flags }, (spec) => void (spec.hooks = hooks))
  t.is(withHook[2], 6)
  const error = await refused(withScheduler(deadline, (spec) => void (spec.hooks = hooks)))
  t.is(error.code, 'ERR_INVALID_SPEC')
  t.regex(error.message, /process\.scheduler\.flags: startContainer hooks/)
})

container('what the kernel refuses is told with its reason, and nothing is left', async (t) => {
  const iso = await refused(withScheduler({ policy: 'SCHED_ISO' }))
  t.is(iso.code, 'ERR_UNSUPPORTED_SPEC')
  const empty = await refused(withScheduler({}))
  t.is(empty.code, 'ERR_INVALID_SPEC')
  t.regex(empty.message, /process\.scheduler\.policy/)
  if (missing('root') !== undefined) {
    const fifo = await refused(withScheduler({ policy: 'SCHED_FIFO', priority: 1 }))
    t.deepEqual([fifo.code, fifo.syscall, fifo.errno], ['ERR_SYSCALL', 'sched_setattr', 'EPERM'])
    t.regex(fifo.hint!, /CAP_SYS_NICE/)
  }
})

const withBusybox = missing('busybox') === undefined ? container : test.skip
const ionice = (spec: RuntimeSpec, ioPriority: object): void => {
  spec.process!.args = ['busybox', 'ionice', '-p', '1']
  Object.assign(spec.process!, { ioPriority })
}

withBusybox('the priority of input and output', async (t) => {
  const told = (ioPriority: object): Promise<string> => printed((spec) => ionice(spec, ioPriority), 'true')
  t.is(await told({ class: 'IOPRIO_CLASS_BE', priority: 6 }), 'best-effort: prio 6')
  t.regex(await told({ class: 'IOPRIO_CLASS_IDLE', priority: 0 }), /^idle/)
  if (missing('root') === undefined) {
    t.is(await told({ class: 'IOPRIO_CLASS_RT', priority: 2 }), 'realtime: prio 2')
  } else {
    const error = await refused((spec) => ionice(spec, { class: 'IOPRIO_CLASS_RT', priority: 2 }))
    t.deepEqual([error.syscall, error.errno], ['ioprio_set', 'EPERM'])
  }
})

const numa = existsSync('/proc/self/numa_maps') ? container : test.skip

numa('a memory policy', async (t) => {
  const policy = async (memoryPolicy: object): Promise<string> => {
    const set = (spec: RuntimeSpec): void => void Object.assign(spec.linux!, { memoryPolicy })
    return (await printed(set, 'cat', '/proc/self/numa_maps')).split(' ')[1]!
  }
  t.is(await policy({ mode: 'MPOL_BIND', nodes: '0' }), 'bind:0')
  t.is(
    await policy({ mode: 'MPOL_INTERLEAVE', nodes: ' 0,', flags: ['MPOL_F_STATIC_NODES'] }),
    'interleave=static:0',
  )
  t.is(await policy({ mode: 'MPOL_PREFERRED' }), 'local')
  t.is(await policy({ mode: 'MPOL_DEFAULT', nodes: '' }), 'default')
  if (existsSync('/sys/devices/system/node/node63')) return
  const error = await refused((spec) => void (spec.linux!.memoryPolicy = { mode: 'MPOL_BIND', nodes: '63' }))
  t.deepEqual([error.syscall, error.errno], ['set_mempolicy', 'EINVAL'])
  t.regex(error.message, /linux\.memoryPolicy/)
})

container('a 32-bit personality', async (t) => {
  const personality = (domain: 'LINUX' | 'LINUX32') => (spec: RuntimeSpec) =>
    void (spec.linux!.personality = { domain })
  const plain = await printed(personality('LINUX'), 'uname', '-m')
  const small = await printed(personality('LINUX32'), 'uname', '-m')
  t.deepEqual([plain, small], plain === 'x86_64' ? ['x86_64', 'i686'] : ['aarch64', 'armv8l'])
  const error = await refused((spec) => void (spec.linux!.personality = { domain: 'LINUX', flags: ['X'] }))
  t.is(error.code, 'ERR_INVALID_SPEC')
})

const several = availableParallelism() > 1 ? container : test.skip

several('the first process may use every CPU, whatever the caller or `execCPUAffinity` says', async (t) => {
  const affinity = { initial: '0', final: '0' }
  const set = (spec: RuntimeSpec): void => {
    spec.process!.args = ['cat', '/proc/self/status']
    Object.assign(spec.process!, { execCPUAffinity: affinity })
  }
  const caller = program(
    `
import { Runtime } from 'caisson'
const runtime = new Runtime({ root: ${JSON.stringify(root)} })
const { stdout } = await runtime.run({ bundle: ${JSON.stringify(bundle({ edit: set }))} })
console.log(/^Cpus_allowed_list:\\s*(.*)$/m.exec(stdout)[1])
`,
    { under: ['taskset', '-c', '0'] },
  )
  const everywhere = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]
  t.not(everywhere, '0')
  t.is(await nextLine(caller), everywhere!)
  await caller.ended
})
