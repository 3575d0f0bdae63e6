/**
 * The same `linux.resources` through runc, crun and us: every file of the container's cgroup is the same afterwards.
 * Where the peers disagree, ours is one of the two; where we differ from both, the table says why.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { CaissonError, Runtime } from '../../ts/index.ts'
import type { Resources } from '../../ts/spec/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { missing, needs } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'

const version2 = existsSync('/sys/fs/cgroup/cgroup.controllers')
const folder = scratch('cgroup-values')
const runtime = new Runtime({ root: join(folder, 'caisson'), onWarning: () => {} })
const withHugetlb = new URL('../../scripts/with-hugetlb', import.meta.url).pathname
const top = `caisson-values-${process.pid}`
const MEBIBYTE = 2 ** 20

interface Case {
  resources: Resources
  /** Files, or `end`, in which ours is neither's, with the reason. */
  differs?: Record<string, string>
}

const disk = ((): { major: number; minor: number } | undefined => {
  for (const name of readdirSync('/sys/block').sort().reverse()) {
    const [major, minor] = readFileSync(`/sys/block/${name}/dev`, 'latin1').split(':').map(Number)
    return { major: major!, minor: minor! }
  }
  return undefined
})()
const CURVE = 'the peers of Debian 12 convert in a straight line, where the default of 1024 becomes 39'
const onVersion2 = (differs: Record<string, string>): Record<string, string> => (version2 ? differs : {})
const curve = onVersion2({ 'cpu.weight': CURVE })

const cases: Record<string, Case> = {
  nothing: { resources: {} },
  'memory limit': { resources: { memory: { limit: 64 * MEBIBYTE } } },
  'memory limit, reservation and swap': {
    resources: { memory: { limit: 64 * MEBIBYTE, reservation: 32 * MEBIBYTE, swap: 96 * MEBIBYTE } },
  },
  'memory and swap of the same size': {
    resources: { memory: { limit: 64 * MEBIBYTE, swap: 64 * MEBIBYTE } },
  },
  'memory limited, swap unlimited': { resources: { memory: { limit: 64 * MEBIBYTE, swap: -1 } } },
  'memory unlimited': { resources: { memory: { limit: -1 } } },
  'swap without memory': { resources: { memory: { swap: 64 * MEBIBYTE } } },
  'swap below memory': { resources: { memory: { limit: 64 * MEBIBYTE, swap: 32 * MEBIBYTE } } },
  'reservation unlimited': { resources: { memory: { reservation: -1 } } },
  'a check before the update': { resources: { memory: { limit: 64 * MEBIBYTE, checkBeforeUpdate: true } } },
  swappiness: { resources: { memory: { swappiness: 10 } } },
  'the OOM killer disabled': { resources: { memory: { limit: 64 * MEBIBYTE, disableOOMKiller: true } } },
  shares: { resources: { cpu: { shares: 512 } }, differs: curve },
  'few shares': { resources: { cpu: { shares: 2 } } },
  'no shares': { resources: { cpu: { shares: 0 } } },
  'many shares': { resources: { cpu: { shares: 262_144 } } },
  'quota and period': { resources: { cpu: { quota: 50_000, period: 200_000 } } },
  'a quota': { resources: { cpu: { quota: 50_000 } } },
  'a period': { resources: { cpu: { period: 50_000 } } },
  'quota unlimited': { resources: { cpu: { quota: -1, period: 50_000 } } },
  'quota 0': { resources: { cpu: { quota: 0 } } },
  'cpus and mems': { resources: { cpu: { cpus: '0', mems: '0' } } },
  'a cpu that is not there': { resources: { cpu: { cpus: '0-999' } } },
  'realtime runtime': { resources: { cpu: { realtimeRuntime: 1000, realtimePeriod: 100_000 } } },
  pids: { resources: { pids: { limit: 50 } } },
  'pids unlimited': { resources: { pids: { limit: -1 } } },
  'pids below -1': {
    resources: { pids: { limit: -7 } },
    differs: onVersion2({
      end: 'the peers of Debian 12 write it as it is; those of today, and we, write max',
    }),
  },
  'pids 0': {
    resources: { pids: { limit: 0 } },
    differs: {
      'pids.max': 'the peers of Debian 12 took 0 for no limit; runc since 1.4 writes 1, and so do we',
    },
  },
  'huge pages': {
    resources: { hugepageLimits: [{ pageSize: '2MB', limit: 4 * MEBIBYTE }] },
    differs: onVersion2({ 'hugetlb.2MB.rsvd.max': 'the peers of Debian 12 do not limit reservations yet' }),
  },
  network: { resources: { network: { classID: 1_048_577 } } },
  unified: { resources: { unified: { 'memory.high': '33554432', 'pids.max': '20' } } },
  'unified over a limit': {
    resources: { pids: { limit: 50 }, unified: { 'pids.max': '20', 'cgroup.max.depth': '3' } },
    differs: onVersion2({ 'cgroup.max.depth': 'ours counts from what the program sees: in the child' }),
  },
  'unified with a slash': { resources: { unified: { '../memory.max': '1' } } },
  'unified of a missing controller': { resources: { unified: { 'nonsense.max': '1' } } },
  'device rules': {
    resources: {
      devices: [
        { allow: false, access: 'rwm' },
        { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
        { allow: true, type: 'b', major: 8, access: 'r' },
        { allow: true, type: 'c', major: 10, minor: 229, access: 'm' },
        { allow: false, type: 'c', major: 10, minor: 229, access: 'w' },
      ],
    },
  },
  'all devices': { resources: { devices: [{ allow: true, access: 'rwm' }] } },
  ...(disk && {
    throttling: {
      resources: {
        blockIO: {
          throttleReadBpsDevice: [{ ...disk, rate: MEBIBYTE }],
          throttleWriteBpsDevice: [{ ...disk, rate: 2 * MEBIBYTE }],
          throttleReadIOPSDevice: [{ ...disk, rate: 300 }],
          throttleWriteIOPSDevice: [{ ...disk, rate: 400 }],
        },
      },
    },
  }),
}

/** Every file of a container's cgroup, in every hierarchy, that has a value to be set; not the counters. */
const FILES =
  /^(?:cgroup\.max\.depth|cpu\.(?:shares|weight|idle|max(?:\.burst)?|cfs_\w+_us|rt_\w+_us)|cpuset\.(?:cpus|mems)|devices\.list|(?:hugetlb\.\w+\.)(?:rsvd\.)?(?:max|limit_in_bytes)|io\.(?:max|weight|bfq\.weight)|blkio\.(?:throttle\.\w+_device|bfq\.weight|weight|leaf_weight)|memory\.(?:(?:soft_|memsw\.)?limit_in_bytes|swappiness|oom_control|use_hierarchy|max|high|low|min|swap\.(?:max|high)|oom\.group)|pids\.max|rdma\.max|misc\.max)$/
/** What the kernel says about the state, beside the value that was set. */
const STATE = /^(?:under_oom|oom_kill) .*$/gm

function values(path: string): Record<string, string> {
  const hierarchies = version2 ? [''] : readdirSync('/sys/fs/cgroup')
  const found: Record<string, string> = {}
  for (const hierarchy of hierarchies) {
    const directory = join('/sys/fs/cgroup', hierarchy, path)
    for (const file of existsSync(directory) ? readdirSync(directory) : []) {
      if (!FILES.test(file)) continue
      const lines = readFileSync(join(directory, file), 'latin1').replace(STATE, '').trim().split('\n')
      found[file] = lines.sort().join('\n')
    }
  }
  return found
}

interface Result {
  end: string
  files: Record<string, string>
  refusal?: string
}

let serial = 0

function place(resources: Resources, name: string): { id: string; path: string; bundle: string } {
  const id = `values-${process.pid}-${serial++}`
  const path = `/${top}/${name}-${serial}`
  const made = bundle({
    edit: (spec) => {
      spec.ociVersion = '1.0.2'
      Object.assign(spec.linux!, { cgroupsPath: path, resources })
    },
  })
  return { id, path, bundle: made }
}

async function ours(resources: Resources): Promise<Result> {
  const { id, path, bundle } = place(resources, 'caisson')
  try {
    await using _ = await runtime.create(id, { bundle })
    return { end: 'created', files: values(path) }
  } catch (error) {
    if (!(error instanceof CaissonError)) throw error
    return { end: 'refused', files: {}, refusal: error.message }
  }
}

function theirs(name: 'runc' | 'crun', resources: Resources): Result {
  const { id, path, bundle } = place(resources, name)
  // A container that waits for its start keeps the runtime's stderr open.
  const log = join(folder, `${id}.log`)
  const call = (...args: string[]): number | null => {
    const command = [name, '--root', join(folder, name), '--log', log, ...args]
    if (name === 'crun' && !version2) command.unshift(withHugetlb)
    return spawnSync(command[0]!, command.slice(1), { stdio: 'ignore' }).status
  }
  const status = call('create', '--bundle', bundle, id)
  const files = status === 0 ? values(path) : {}
  call('delete', '--force', id)
  return status === 0
    ? { end: 'created', files }
    : { end: 'refused', files, refusal: readFileSync(log, 'utf8') }
}

const peers = (['runc', 'crun'] as const).filter((name) => !missing(name))
const compared = needs('root', 'cgroup', 'busybox', ...(peers.length === 0 ? (['runc'] as const) : []))

for (const [name, { resources, differs = {} }] of Object.entries(cases)) {
  compared(name, async (t) => {
    const mine = await ours(resources)
    const others = peers.map((peer) => theirs(peer, resources))
    const same = others.filter(({ end }) => end === mine.end)
    const problems: Record<string, unknown> = {}
    if (same.length === 0) problems['end'] = [mine, ...others].map(({ end, refusal }) => [end, refusal])
    for (const file of new Set(same.flatMap(({ files }) => Object.keys(files)))) {
      if (!same.some(({ files }) => files[file] === mine.files[file]))
        problems[file] = [mine, ...same].map(({ files }) => files[file])
    }
    if (mine.end === 'created') t.true(Object.keys(mine.files).length > 5)
    if (Object.keys(problems).some((problem) => !(problem in differs))) t.log(problems)
    t.deepEqual(Object.keys(problems).sort(), Object.keys(differs).sort())
  })
}

test.before(() => void mkdirSync(folder, { recursive: true }))
test.after.always('nothing is left below the subtree', (t) => {
  const directories = (version2 ? [''] : readdirSync('/sys/fs/cgroup')).map((name) =>
    join('/sys/fs/cgroup', name, top),
  )
  for (const directory of directories.filter((path) => existsSync(path))) {
    const left = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    const names = left.map(({ name }) => name)
    t.deepEqual(
      names.filter((name) => name.startsWith('caisson')),
      [],
    )
    // crun keeps the cgroup of a container that it has refused.
    for (const name of names) rmdirSync(join(directory, name))
    rmdirSync(directory)
  }
})
