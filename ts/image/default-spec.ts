/** The configuration written by `runc spec`: the default of every container. */
import { checkOptions, flag, type Known } from '../options.ts'
import type { RuntimeSpec } from '../spec/index.ts'

export interface DefaultSpecOptions {
  /** For an unprivileged user: one mapped id, the host's network and /sys, no limits. */
  rootless?: boolean
}

/** The default PATH, unless an image has its own. */
export const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']

/** A new copy with keys in runc's order: `caisson spec` prints it unchanged. */
export function defaultSpec(options: DefaultSpecOptions = {}): RuntimeSpec {
  checkOptions(options, { rootless: flag } satisfies Known<DefaultSpecOptions>)
  const { rootless = false } = options
  const namespaces = rootless
    ? ['pid', 'ipc', 'uts', 'mount', 'user', 'cgroup']
    : ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup']
  const spec = {
    ociVersion: '1.0.2', // COMPAT(crun): nothing here is newer, and up to 1.8 it refuses 1.1 and 1.2
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: [DEFAULT_PATH, 'TERM=xterm'],
      cwd: '/',
      // SECURITY: no inheritable and no ambient capabilities: an unprivileged program must not gain the container's
      // capabilities by execve(2) (CVE-2022-24769).
      capabilities: {
        bounding: [...CAPABILITIES],
        effective: [...CAPABILITIES],
        permitted: [...CAPABILITIES],
      },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'caisson',
    mounts: mounts(rootless),
    linux: {
      ...(rootless
        ? {
            uidMappings: [{ containerID: 0, hostID: process.geteuid?.() ?? 0, size: 1 }],
            gidMappings: [{ containerID: 0, hostID: process.getegid?.() ?? 0, size: 1 }],
          }
        : { resources: { devices: [{ allow: false, access: 'rwm' }] } }),
      namespaces: namespaces.map((type) => ({ type })),
      maskedPaths: [
        '/proc/acpi',
        '/proc/asound',
        '/proc/kcore',
        '/proc/keys',
        '/proc/latency_stats',
        '/proc/timer_list',
        '/proc/timer_stats',
        '/proc/sched_debug',
        '/sys/firmware',
        '/proc/scsi',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  }
  return spec as RuntimeSpec
}

function mounts(rootless: boolean): object[] {
  const devpts = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620']
  return [
    { destination: '/proc', type: 'proc', source: 'proc' },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: rootless ? devpts : [...devpts, 'gid=5'], // group 5 is not mapped if only one id is
    },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    rootless
      ? // A new sysfs needs a network namespace of one's own.
        {
          destination: '/sys',
          type: 'none',
          source: '/sys',
          options: ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'],
        }
      : { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
    },
  ]
}
