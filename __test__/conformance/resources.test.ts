/** config-linux.md, the limits of "Control groups": each in the file that the kernel has for it. */
import { existsSync, readFileSync } from 'node:fs'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import type { Need } from '../fixtures/needs.ts'
import { linux, requirements, type Requirement } from './requirements.ts'

const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers')

const resources = (change: object) => (spec: RuntimeSpec) =>
  void (spec.linux!.resources = { ...spec.linux!.resources, ...change })
const limit = (
  change: object,
  v1: string,
  v2: string,
  value: string | [v1: string, v2: string],
): Requirement => ({
  edit: resources(change),
  args: ['cat', `/sys/fs/cgroup/${isUnified ? v2 : v1}`],
  prints: typeof value === 'string' ? value : value[isUnified ? 1 : 0],
  needs: ['root', 'cgroup'],
})
const refused = (change: object): Requirement => ({ edit: resources(change), refused: 'ERR_INVALID_SPEC' })
const device = { major: 7, minor: 0 }

requirements({
  'memory.limit': limit(
    { memory: { limit: 67_108_864 } },
    'memory/memory.limit_in_bytes',
    'memory.max',
    '67108864',
  ),
  'memory.limit -1 is unlimited': limit(
    { memory: { limit: -1 } },
    'memory/memory.limit_in_bytes',
    'memory.max',
    ['9223372036854771712', 'max'],
  ),
  'memory.reservation': limit(
    { memory: { limit: 67_108_864, reservation: 33_554_432 } },
    'memory/memory.soft_limit_in_bytes',
    'memory.low',
    '33554432',
  ),
  'memory.checkBeforeUpdate refuses a limit below the usage': limit(
    { memory: { limit: 67_108_864, checkBeforeUpdate: true } },
    'memory/memory.limit_in_bytes',
    'memory.max',
    '67108864',
  ),
  'cpu.shares': limit({ cpu: { shares: 512 } }, 'cpu/cpu.shares', 'cpu.weight', ['512', '59']),
  'cpu.quota and cpu.period': {
    ...limit({ cpu: { quota: 50_000, period: 200_000 } }, 'cpu/cpu.cfs_quota_us', 'cpu.max', [
      '50000',
      '50000 200000',
    ]),
  },
  'cpu.period': limit({ cpu: { period: 50_000 } }, 'cpu/cpu.cfs_period_us', 'cpu.max', [
    '50000',
    'max 50000',
  ]),
  'cpu.burst': limit(
    { cpu: { quota: 50_000, period: 100_000, burst: 10_000 } },
    'cpu/cpu.cfs_burst_us',
    'cpu.max.burst',
    '10000',
  ),
  'cpu.burst above the quota is an error': refused({
    cpu: { quota: 10_000, period: 100_000, burst: 20_000 },
  }),
  'cpu.cpus': limit({ cpu: { cpus: '0' } }, 'cpuset/cpuset.cpus', 'cpuset.cpus', '0'),
  'cpu.mems': limit({ cpu: { mems: '0' } }, 'cpuset/cpuset.mems', 'cpuset.mems', '0'),
  'pids.limit': limit({ pids: { limit: 50 } }, 'pids/pids.max', 'pids.max', '50'),
  'pids.limit -1 is unlimited': limit({ pids: { limit: -1 } }, 'pids/pids.max', 'pids.max', 'max'),

  // Members that a limit has to have
  'a device rule without allow is refused': refused({ devices: [{ access: 'rwm' }] }),
  'a device rule of unknown type is refused': refused({ devices: [{ allow: true, type: 'x' }] }),
  'a device rule of unknown access is refused': refused({ devices: [{ allow: true, access: 'x' }] }),
  'a weight of a device without numbers is refused': refused({
    blockIO: { weightDevice: [{ weight: 100 }] },
  }),
  'a weight of a device without a weight is refused': refused({ blockIO: { weightDevice: [device] } }),
  ...Object.fromEntries(
    [
      'throttleReadBpsDevice',
      'throttleWriteBpsDevice',
      'throttleReadIOPSDevice',
      'throttleWriteIOPSDevice',
    ].flatMap((name) => [
      [`${name} without a rate is refused`, refused({ blockIO: { [name]: [device] } })],
      [`${name} without numbers is refused`, refused({ blockIO: { [name]: [{ rate: 1 }] } })],
    ]),
  ),
  'a limit of huge pages without a page size is refused': refused({ hugepageLimits: [{ limit: 0 }] }),
  'a limit of huge pages without a limit is refused': refused({ hugepageLimits: [{ pageSize: '2MB' }] }),
  'a priority of the network without a name is refused': refused({
    network: { priorities: [{ priority: 1 }] },
  }),
  'a priority of the network without a priority is refused': refused({
    network: { priorities: [{ name: 'lo' }] },
  }),
  'a limit of RDMA without a number is refused': refused({ rdma: { mlx5_1: {} } }),
  'a huge page size that the kernel lacks is an error': {
    edit: resources({ hugepageLimits: [{ pageSize: '3MB', limit: 0 }] }),
    refused: /^ERR_/,
    needs: ['root', 'cgroup'],
  },

  // Devices
})

// Devices

/** A device that the kernel has, whose opening needs no capability, and that no rule of a runtime allows. */
const LOOSE = ['fuse', 'loop-control', 'btrfs-control']
const loose = readFileSync('/proc/misc', 'utf8')
  .split('\n')
  .map((line) => line.trim().split(' '))
const number = loose.find(([, name]) => LOOSE.includes(name!))?.[0]
const unruled = { type: 'c', major: 10, minor: Number(number) }
const rules =
  (...all: object[]) =>
  (spec: RuntimeSpec): void => {
    resources({ devices: [{ allow: false, access: 'rwm' }, ...all] })(spec)
    linux({ devices: [{ path: '/dev/unruled', ...unruled, fileMode: 0o666 }] })(spec)
  }
const opens = {
  script: '(: < /dev/unruled) 2>/dev/null && echo read; (: > /dev/unruled) 2>/dev/null && echo written; true',
  needs: ['root', 'cgroup'] as Need[],
}
if (number !== undefined)
  requirements({
    'device rules apply in the listed order': {
      ...opens,
      edit: rules({ allow: true, ...unruled, access: 'rw' }, { allow: false, ...unruled, access: 'w' }),
      prints: 'read',
    },
    'a later device rule wins': {
      ...opens,
      edit: rules({ allow: false, ...unruled, access: 'w' }, { allow: true, ...unruled, access: 'rw' }),
      prints: 'read\nwritten',
    },
    'device rules deny what none of them allows': { ...opens, edit: rules(), prints: '' },
    'a device rule without numbers is one for all': {
      ...opens,
      edit: rules({ allow: true, type: 'c', access: 'r' }),
      prints: 'read',
    },
  })

const unified = (value: object) => resources({ unified: value })
if (isUnified)
  requirements({
    'unified writes what the runtime does not know': {
      edit: unified({ 'memory.high': '50000000' }),
      args: ['cat', '/sys/fs/cgroup/memory.high'],
      prints: '49999872',
      needs: ['root', 'cgroup'],
    },
    'unified enables the controller': {
      edit: unified({ 'pids.max': '77' }),
      args: ['cat', '/sys/fs/cgroup/pids.max'],
      prints: '77',
      needs: ['root', 'cgroup'],
    },
    'unified of a controller that is missing is an error': {
      edit: unified({ 'nosuch.max': '1' }),
      refused: /^ERR_/,
      needs: ['root', 'cgroup'],
    },
    'a limit of version 1 alone is an error': {
      edit: resources({ memory: { swappiness: 10 } }),
      refused: /^ERR_/,
      needs: ['root', 'cgroup'],
    },
  })
else
  requirements({
    'unified without version 2 is an error': {
      edit: unified({ 'memory.high': '50000000' }),
      refused: /^ERR_/,
      needs: ['root', 'cgroup'],
    },
    'memory.swappiness': limit({ memory: { swappiness: 37 } }, 'memory/memory.swappiness', '', '37'),
    'memory.disableOOMKiller': {
      edit: resources({ memory: { limit: 67_108_864, disableOOMKiller: true } }),
      args: ['cat', '/sys/fs/cgroup/memory/memory.oom_control'],
      prints: /^oom_kill_disable 1\n/,
      needs: ['root', 'cgroup'],
    },
  })
