/** Docker: a container without options, and a privileged one. */
import {
  CAPABILITIES,
  cgroup,
  dev,
  devpts,
  directory,
  engine,
  filtered,
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
import { profile } from './profile.ts'
import type { DeviceRule } from '../../../ts/spec/index.ts'
import type { Table } from '../configurations/edit.ts'

const ETC = ['/etc/resolv.conf', '/etc/hostname', '/etc/hosts']
const rule = (allow: boolean, major: number, minor: number): DeviceRule => ({
  allow,
  type: 'c',
  major,
  minor,
  access: 'rwm',
})

const usual: Written = ({ bundle, id }) => ({
  ociVersion: '1.0.2-dev',
  process: {
    consoleSize: { height: 0, width: 0 },
    user: { uid: 0, gid: 0, additionalGids: [0, 10] },
    args: [],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOSTNAME=0123456789ab'],
    cwd: '/',
    capabilities: sets(CAPABILITIES),
    oomScoreAdj: 0,
  },
  root: { path: `${bundle}/rootfs` },
  hostname: '0123456789ab',
  mounts: [
    proc,
    dev(),
    devpts,
    sysfs('ro'),
    cgroup('ro'),
    mqueue,
    shm,
    ...files(bundle, ETC, ['rbind', 'rprivate']),
    directory(bundle, 'volume', '/data', ['rbind', 'rprivate']),
  ],
  hooks: { prestart: [{ path: '/bin/true', args: ['libnetwork-setkey', '-exec-root=/var/run/docker', id] }] },
  linux: {
    sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' },
    resources: {
      devices: [
        { allow: false, access: 'rwm' },
        rule(true, 1, 5),
        rule(true, 1, 3),
        rule(true, 1, 9),
        rule(true, 1, 8),
        rule(true, 5, 0),
        rule(true, 5, 1),
        rule(false, 10, 229),
      ],
      memory: {},
      cpu: { shares: 0 },
      blockIO: { weight: 0 },
    },
    cgroupsPath: `/${id}/docker`,
    namespaces: namespaces('mount', 'network', 'uts', 'pid', 'ipc', 'cgroup'),
    maskedPaths: MASKED,
    readonlyPaths: READONLY,
  },
})

const limited: Written = (context) => {
  const spec = usual(context)
  Object.assign(spec.process!, {
    noNewPrivileges: true,
    user: { uid: 1000, gid: 1000, additionalGids: [1000] },
  })
  Object.assign(spec.process!, {
    rlimits: [{ type: 'RLIMIT_NOFILE', soft: 512, hard: 1024 }],
    oomScoreAdj: 100,
  })
  spec.root!.readonly = true
  Object.assign(spec.linux!.resources!, {
    memory: { limit: 67_108_864 },
    cpu: { quota: 50_000, period: 100_000, cpus: '0' },
    pids: { limit: 64 },
  })
  spec.mounts!.push({
    destination: '/tmp',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['noexec', 'nosuid', 'nodev', 'size=65536k'],
  })
  return spec
}

const privileged: Written = (context) => {
  const spec = usual(context)
  spec.process!.capabilities = sets([
    ...CAPABILITIES,
    'CAP_SYS_ADMIN',
    'CAP_NET_ADMIN',
    'CAP_SYS_PTRACE',
    'CAP_SYSLOG',
  ])
  spec.mounts = spec.mounts!.map((mount) =>
    ['/sys', '/sys/fs/cgroup'].includes(mount.destination)
      ? { ...mount, options: mount.options!.map((option) => (option === 'ro' ? 'rw' : option)) }
      : mount,
  )
  // Every device of the host is listed, with the type of the file in its mode.
  spec.linux!.devices = [
    { path: '/dev/full', type: 'c', major: 1, minor: 7, fileMode: 0o20666, uid: 0, gid: 0 },
    { path: '/dev/kmsg', type: 'c', major: 1, minor: 11, fileMode: 0o20644, uid: 0, gid: 0 },
    { path: '/dev/loop0', type: 'b', major: 7, minor: 0, fileMode: 0o60660, uid: 0, gid: 0 },
    { path: '/dev/cpu/0/cpuid', type: 'c', major: 203, minor: 0, fileMode: 0o20600, uid: 0, gid: 0 },
  ]
  spec.linux!.resources!.devices = [{ allow: true, access: 'rwm' }]
  Object.assign(spec.linux!, { maskedPaths: null, readonlyPaths: null })
  return spec
}

export const docker: Table = {
  'Docker: a container without options': engine(usual, ...ETC, '/data'),
  'Docker: a container with the default filter': engine(filtered(usual, profile(1)), '/data'),
  'Docker: limits, another user and the default filter': engine(filtered(limited, profile(1)), '/tmp'),
  'Docker: a container with limits and another user': engine(limited, '/tmp'),
  'Docker: a privileged container': engine(privileged, '/dev/kmsg', '/dev/loop0', '/dev/cpu/0/cpuid'),
}
