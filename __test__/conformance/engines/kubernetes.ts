/** Containers of pods: containerd's CRI plugin and CRI-O. */
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
import type { Table } from '../configurations/edit.ts'

const KUBELET = ['/etc/hosts', '/dev/termination-log', '/etc/hostname', '/etc/resolv.conf']
const SECRET = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The first container of a pod, which keeps its namespaces. */
const sandbox: Written = ({ bundle, id }) => ({
  ociVersion: '1.0.2',
  process: {
    user: { uid: 65535, gid: 65535, additionalGids: [65535] },
    args: [],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    cwd: '/',
    capabilities: sets(CAPABILITIES),
    noNewPrivileges: true,
    oomScoreAdj: 1000,
  },
  root: { path: 'rootfs', readonly: true },
  hostname: 'pod-1',
  mounts: [
    proc,
    dev(),
    devpts,
    mqueue,
    sysfs('ro'),
    directory(bundle, 'shm', '/dev/shm', ['rbind', 'ro', 'nosuid', 'nodev', 'noexec']),
    ...files(bundle, ['/etc/resolv.conf'], ['rbind', 'ro', 'nosuid', 'nodev', 'noexec']),
  ],
  annotations: {
    'io.kubernetes.cri.container-type': 'sandbox',
    'io.kubernetes.cri.sandbox-id': id,
    'io.kubernetes.cri.sandbox-namespace': 'default',
  },
  linux: {
    sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' },
    resources: { devices: [{ allow: false, access: 'rwm' }], cpu: { shares: 2 } },
    cgroupsPath: `/${id}/kubepods/besteffort/pod1`,
    namespaces: namespaces('pid', 'ipc', 'uts', 'mount', 'network'),
    maskedPaths: MASKED,
    readonlyPaths: READONLY,
  },
})

const container: Written = ({ bundle, id, holder }) => ({
  ociVersion: '1.0.2',
  process: {
    user: { uid: 0, gid: 0, additionalGids: [0, 10] },
    args: [],
    env: [
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOSTNAME=pod-1',
      'KUBERNETES_PORT=tcp://10.96.0.1:443',
    ],
    cwd: '/',
    capabilities: sets(CAPABILITIES),
    oomScoreAdj: 1000,
  },
  root: { path: 'rootfs' },
  mounts: [
    proc,
    dev(),
    devpts,
    mqueue,
    sysfs('ro'),
    cgroup('ro'),
    ...files(bundle, KUBELET, ['rbind', 'rprivate', 'rw']),
    directory(bundle, 'shm', '/dev/shm', ['rbind', 'rprivate', 'rw']),
    directory(bundle, 'secret', SECRET, ['rbind', 'rprivate', 'ro']),
  ],
  annotations: { 'io.kubernetes.cri.container-type': 'container', 'io.kubernetes.cri.sandbox-id': 'pod-1' },
  linux: {
    resources: {
      devices: [{ allow: false, access: 'rwm' }],
      memory: { limit: 134_217_728 },
      cpu: { shares: 102, quota: 20_000, period: 100_000 },
    },
    cgroupsPath: `/${id}/kubepods/burstable/pod1`,
    namespaces: [
      { type: 'pid' },
      { type: 'mount' },
      { type: 'cgroup' },
      { type: 'ipc', path: holder.path('ipc') },
      { type: 'uts', path: holder.path('uts') },
      { type: 'network', path: holder.path('network') },
    ],
    maskedPaths: MASKED,
    readonlyPaths: READONLY,
  },
})

/** CRI-O with `hostUsers: false`: a user namespace, and a pod's namespaces that belong to it. */
const userNamespace: Written = (context) => {
  const spec = container(context)
  const mappings = [{ containerID: 0, hostID: 0, size: 65_536 }]
  Object.assign(spec.linux!, {
    uidMappings: mappings,
    gidMappings: mappings,
    namespaces: namespaces('pid', 'mount', 'cgroup', 'ipc', 'uts', 'network', 'user'),
  })
  spec.hostname = 'pod-1'
  spec.mounts!.splice(
    spec.mounts!.findIndex(({ destination }) => destination === '/dev/shm'),
    1,
    shm,
  )
  Object.assign(spec.annotations!, { 'io.kubernetes.cri-o.userns-mode': 'auto' })
  return spec
}

export const kubernetes: Table = {
  'containerd CRI: the sandbox of a pod': engine(sandbox),
  'containerd CRI: a container of a pod': engine(container, SECRET, ...KUBELET),
  'containerd CRI: a container with the default filter': engine(filtered(container, profile(1)), SECRET),
  'CRI-O: hostUsers: false and the default filter': engine(filtered(userNamespace, profile(38)), SECRET),
  'CRI-O: a container with hostUsers: false': engine(userNamespace, SECRET),
}
