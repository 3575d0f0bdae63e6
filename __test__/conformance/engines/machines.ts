/** Inside of small virtual machines, and as systemd-nspawn takes it. */
import {
  CAPABILITIES,
  cgroup,
  dev,
  devpts,
  engine,
  files,
  MASKED,
  mqueue,
  namespaces,
  proc,
  READONLY,
  sets,
  shm,
  sysfs,
  type Written,
} from './parts.ts'
import type { Table } from '../configurations/edit.ts'

/** firecracker-containerd: the agent in the machine has one network, its own, for the container. */
const firecracker: Written = ({ bundle, id }) => ({
  ociVersion: '1.0.2-dev',
  process: {
    user: { uid: 0, gid: 0, additionalGids: [0] },
    args: [],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    cwd: '/',
    capabilities: sets(CAPABILITIES),
    rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
    noNewPrivileges: true,
  },
  root: { path: 'rootfs' },
  mounts: [
    proc,
    dev(),
    devpts,
    shm,
    mqueue,
    {
      destination: '/sys',
      type: 'none',
      source: '/sys',
      options: ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'],
    },
    {
      destination: '/run',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    ...files(bundle, ['/etc/hosts', '/etc/resolv.conf'], ['rbind', 'ro']),
  ],
  annotations: { 'aws.firecracker.vm.id': 'vm-1' },
  linux: {
    resources: { devices: [{ allow: false, access: 'rwm' }] },
    cgroupsPath: `/${id}/firecracker-containerd`,
    namespaces: namespaces('pid', 'ipc', 'mount'),
    maskedPaths: MASKED,
    readonlyPaths: READONLY,
  },
})

/** What `systemd-nspawn --oci-bundle` can take: every section, with values of its own tests' kind. */
const nspawn: Written = ({ bundle, id }) => ({
  ociVersion: '1.0.0',
  process: {
    terminal: false,
    consoleSize: { height: 25, width: 80 },
    user: { uid: 0, gid: 0, additionalGids: [5, 6] },
    args: [],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
    cwd: '/root',
    capabilities: {
      bounding: ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'],
      permitted: ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'],
      inheritable: ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'],
      effective: ['CAP_AUDIT_WRITE', 'CAP_KILL'],
      ambient: ['CAP_NET_BIND_SERVICE'],
    },
    rlimits: [
      { type: 'RLIMIT_CORE', hard: 1024, soft: 1024 },
      { type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 },
    ],
    oomScoreAdj: 20,
    noNewPrivileges: true,
  },
  root: { path: 'rootfs', readonly: true },
  hostname: 'systemd-nspawn',
  mounts: [
    proc,
    dev(),
    devpts,
    shm,
    mqueue,
    sysfs('ro'),
    cgroup('ro'),
    {
      destination: '/tmp',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=1777', 'size=65536k'],
    },
  ],
  hooks: {
    prestart: [{ path: '/bin/true', args: ['true', id], env: ['KEY=value'], timeout: 30 }],
    poststart: [{ path: '/bin/true' }],
    poststop: [{ path: '/bin/sh', args: ['sh', '-c', `echo stopped >> '${bundle}/hooks'`] }],
  },
  annotations: { 'com.example.key1': 'value1' },
  linux: {
    devices: [
      { path: '/dev/zero', type: 'c', major: 1, minor: 5, fileMode: 0o666, uid: 0, gid: 0 },
      { path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 },
    ],
    sysctl: { 'kernel.domainname': 'example.test', 'net.core.somaxconn': '256' },
    cgroupsPath: `/${id}/machine.slice`,
    resources: {
      pids: { limit: 32_771 },
      memory: { limit: 536_870_912, reservation: 268_435_456 },
      cpu: { shares: 1024, quota: 1_000_000, period: 500_000, cpus: '0-1', mems: '0' },
      devices: [
        { allow: false, access: 'rwm' },
        { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
        { allow: true, type: 'b', major: 8, minor: 0, access: 'r' },
      ],
    },
    rootfsPropagation: 'slave',
    namespaces: namespaces('pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'),
    maskedPaths: ['/proc/kcore', '/proc/latency_stats', '/proc/timer_stats', '/proc/sched_debug'],
    readonlyPaths: ['/proc/asound', '/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
  },
})

export const machines: Table = {
  'firecracker-containerd: a container in its machine': engine(firecracker, '/run'),
  'systemd-nspawn: a bundle with every section': engine(nspawn, '/dev/fuse', '/tmp'),
}
