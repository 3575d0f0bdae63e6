/** Podman and BuildKit. */
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
import { differing, type Table } from '../configurations/edit.ts'

/** Podman's own eleven. */
const ELEVEN = CAPABILITIES.filter((name) => !['CAP_MKNOD', 'CAP_NET_RAW', 'CAP_AUDIT_WRITE'].includes(name))
const FILES = ['/etc/hostname', '/etc/hosts', '/run/.containerenv']
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const rootful: Written = ({ bundle, id }) => ({
  ociVersion: '1.0.2-dev',
  process: {
    user: { uid: 0, gid: 0, umask: 18 },
    args: [],
    env: ['TERM=xterm', PATH, 'HOSTNAME=7bef4e15ab62'],
    cwd: '/',
    capabilities: sets(ELEVEN),
    rlimits: [
      { type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 },
      { type: 'RLIMIT_NPROC', hard: 32_768, soft: 32_768 },
    ],
  },
  root: { path: `${bundle}/rootfs` },
  hostname: '7bef4e15ab62',
  mounts: [
    proc,
    dev('noexec'),
    sysfs('ro'),
    devpts,
    mqueue,
    ...files(bundle, FILES, ['bind', 'rprivate']),
    directory(bundle, 'shm', '/dev/shm', ['bind', 'rprivate', 'nosuid', 'noexec', 'nodev']),
    cgroup('ro', 'rprivate'),
  ],
  annotations: {
    'io.container.manager': 'libpod',
    'io.podman.annotations.autoremove': 'TRUE',
    'org.opencontainers.image.stopSignal': '15',
  },
  linux: {
    sysctl: { 'net.ipv4.ping_group_range': '0 0' },
    resources: { devices: [{ allow: false, access: 'rwm' }], pids: { limit: 2048 } },
    cgroupsPath: `/${id}/libpod_parent/libpod`,
    namespaces: namespaces('pid', 'network', 'ipc', 'uts', 'mount'),
    maskedPaths: [...MASKED, '/sys/fs/selinux', '/sys/dev/block'],
    readonlyPaths: ['/proc/asound', ...READONLY],
  },
})

/** Of an ordinary user: a user namespace, and no limits. The first id is the caller's, here root's. */
const rootless: Written = (context) => {
  const spec = rootful(context)
  const mappings = [
    { containerID: 0, hostID: 0, size: 1 },
    { containerID: 1, hostID: 100_000, size: 65_536 },
  ]
  Object.assign(spec.linux!, {
    uidMappings: mappings,
    gidMappings: mappings,
    resources: {},
    cgroupsPath: undefined,
  })
  spec.linux!.namespaces = namespaces('pid', 'network', 'ipc', 'uts', 'mount', 'user', 'cgroup')
  delete spec.linux!.sysctl
  return spec
}

const limited: Written = (context) => {
  const spec = rootful(context)
  const own = ['CAP_SYS_PTRACE']
  Object.assign(spec.process!, {
    user: { uid: 1000, gid: 1000, umask: 18, additionalGids: [1000] },
    capabilities: {
      bounding: [...ELEVEN, ...own],
      effective: own,
      inheritable: own,
      permitted: own,
      ambient: own,
    },
    noNewPrivileges: true,
  })
  spec.root!.readonly = true
  Object.assign(spec.linux!.resources!, {
    memory: { limit: 67_108_864, swap: 134_217_728 },
    cpu: { quota: 50_000, period: 100_000 },
    pids: { limit: 50 },
  })
  spec.mounts!.push({
    destination: '/run',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['rprivate', 'rw', 'nosuid', 'nodev', 'tmpcopyup'],
  })
  return spec
}

const buildkit: Written = ({ bundle, id }) => ({
  ociVersion: '1.0.2-dev',
  process: {
    user: { uid: 0, gid: 0 },
    args: [],
    env: [PATH],
    cwd: '/',
    capabilities: sets(CAPABILITIES),
  },
  root: { path: `${bundle}/rootfs` },
  hostname: 'buildkitsandbox',
  mounts: [
    proc,
    dev(),
    devpts,
    shm,
    mqueue,
    sysfs('ro'),
    cgroup('ro'),
    ...files(bundle, ['/etc/resolv.conf', '/etc/hosts'], ['rbind', 'ro']),
    directory(bundle, 'cache', '/root/.cache', ['rbind']),
  ],
  linux: {
    resources: { devices: [{ allow: false, access: 'rwm' }] },
    cgroupsPath: `/${id}/buildkit`,
    namespaces: namespaces('pid', 'ipc', 'uts', 'mount', 'network', 'cgroup'),
    maskedPaths: MASKED,
    readonlyPaths: READONLY,
  },
})

export const podman: Table = {
  'Podman: a container of root': engine(rootful, ...FILES),
  'Podman: a container of an ordinary user': engine(rootless, ...FILES),
  'Podman: a container with limits and another user': differing(
    { 'mounts /run': 'newer versions of runc give a tmpfs the mode of its place' },
    engine(limited, '/run'),
  ),
  'Podman: a container with the default filter': engine(filtered(rootful, profile(38))),
  'BuildKit: a step of a build': engine(filtered(buildkit, profile(1)), '/root/.cache'),
}
