// A config.json of the size and shape Docker writes: default mounts and paths, fourteen capabilities, device rules, and
// a seccomp profile of some 400 names in twenty rules, five of them with arguments.
const MOUNTS = [
  ['/proc', 'proc', 'proc', ['nosuid', 'noexec', 'nodev']],
  ['/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']],
  [
    '/dev/pts',
    'devpts',
    'devpts',
    ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  ],
  ['/sys', 'sysfs', 'sysfs', ['nosuid', 'noexec', 'nodev', 'ro']],
  ['/sys/fs/cgroup', 'cgroup', 'cgroup', ['ro', 'nosuid', 'noexec', 'nodev']],
  ['/dev/mqueue', 'mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev']],
  ['/dev/shm', 'tmpfs', 'shm', ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=67108864']],
  ['/etc/resolv.conf', 'bind', '/var/lib/containers/0/resolv.conf', ['rbind', 'rprivate']],
  ['/etc/hostname', 'bind', '/var/lib/containers/0/hostname', ['rbind', 'rprivate']],
  ['/etc/hosts', 'bind', '/var/lib/containers/0/hosts', ['rbind', 'rprivate']],
]
const CAPABILITIES =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`)

const rule = (_, index) => ({
  names: Array.from({ length: index === 0 ? 340 : 4 }, (_, name) => `system_call_${index}_${name}`),
  action: 'SCMP_ACT_ALLOW',
  ...(index % 4 === 1
    ? { args: [{ index: 0, value: 2114060288, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }] }
    : {}),
})

export const configuration = {
  ociVersion: '1.3.0',
  process: {
    user: { uid: 0, gid: 0, additionalGids: [0, 10] },
    args: ['nginx', '-g', 'daemon off;'],
    env: [
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOSTNAME=0123456789ab',
      'PORT=80',
    ],
    cwd: '/',
    capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
    apparmorProfile: 'docker-default',
    oomScoreAdj: 0,
  },
  root: { path: '/var/lib/docker/overlay2/0123456789abcdef/merged' },
  hostname: '0123456789ab',
  mounts: MOUNTS.map(([destination, type, source, options]) => ({ destination, type, source, options })),
  hooks: { prestart: [{ path: '/proc/1/exe', args: ['libnetwork-setkey', '0123456789ab'] }] },
  linux: {
    sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' },
    resources: {
      devices: [
        { allow: false, access: 'rwm' },
        ...[5, 3, 9, 8, 0, 1].map((minor) => ({ allow: true, type: 'c', major: 1, minor, access: 'rwm' })),
      ],
      memory: { disableOOMKiller: false, limit: 536870912, swap: 1073741824 },
      cpu: { shares: 1024, quota: 50000, period: 100000 },
      pids: { limit: 2048 },
      blockIO: { weight: 0 },
    },
    cgroupsPath: '/docker/0123456789abcdef',
    namespaces: ['mount', 'network', 'uts', 'pid', 'ipc', 'cgroup'].map((type) => ({ type })),
    seccomp: {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 1,
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
      syscalls: Array.from({ length: 20 }, rule),
    },
    maskedPaths: ['acpi', 'asound', 'kcore', 'keys', 'latency_stats', 'timer_list'].map(
      (name) => `/proc/${name}`,
    ),
    readonlyPaths: ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`),
  },
}
