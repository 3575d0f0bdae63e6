/** What the configurations of engines have in common: written from facts about them, not taken from them. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mount, RuntimeSpec } from '../../../ts/spec/index.ts'
import type { Change, Context } from '../configurations/edit.ts'

/** The capabilities of a container without options: Docker's and containerd's fourteen. */
export const CAPABILITIES: readonly string[] =
  `CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP
  SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE`
    .split(/\s+/)
    .map((name) => `CAP_${name}`)
export const sets = (set: readonly string[]): Record<'bounding' | 'effective' | 'permitted', string[]> => ({
  bounding: [...set],
  effective: [...set],
  permitted: [...set],
})

export const MASKED: string[] =
  `/proc/asound /proc/acpi /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats
  /proc/timer_list /proc/timer_stats /proc/sched_debug /proc/scsi /sys/firmware /sys/devices/virtual/powercap`.split(
    /\s+/,
  )
export const READONLY: string[] = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

const STRICT = ['nosuid', 'noexec', 'nodev']
export const proc: Mount = { destination: '/proc', type: 'proc', source: 'proc', options: STRICT }
export const dev = (...options: string[]): Mount => ({
  destination: '/dev',
  type: 'tmpfs',
  source: 'tmpfs',
  options: ['nosuid', ...options, 'strictatime', 'mode=755', 'size=65536k'],
})
export const devpts: Mount = {
  destination: '/dev/pts',
  type: 'devpts',
  source: 'devpts',
  options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
}
export const mqueue: Mount = { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: STRICT }
export const shm: Mount = {
  destination: '/dev/shm',
  type: 'tmpfs',
  source: 'shm',
  options: [...STRICT, 'mode=1777', 'size=67108864'],
}
export const sysfs = (access: 'ro' | 'rw'): Mount => ({
  destination: '/sys',
  type: 'sysfs',
  source: 'sysfs',
  options: [...STRICT, access],
})
export const cgroup = (access: 'ro' | 'rw', ...options: string[]): Mount => ({
  destination: '/sys/fs/cgroup',
  type: 'cgroup',
  source: 'cgroup',
  options: [...options, ...STRICT, 'relatime', access],
})

/** Files that an engine writes and binds into every container. */
export function files(bundle: string, paths: readonly string[], options: readonly string[]): Mount[] {
  const folder = join(bundle, 'engine')
  mkdirSync(folder, { recursive: true })
  return paths.map((destination) => {
    const source = join(folder, destination.slice(destination.lastIndexOf('/') + 1))
    writeFileSync(source, `${destination} of the engine\n`, { mode: 0o644 })
    return { destination, type: 'bind', source, options: [...options] }
  })
}

/** A directory of the host that an engine binds. */
export function directory(
  bundle: string,
  name: string,
  destination: string,
  options: readonly string[],
): Mount {
  const source = join(bundle, name)
  mkdirSync(source, { recursive: true, mode: 0o755 })
  return { destination, type: 'bind', source, options: [...options] }
}

type Namespace = NonNullable<NonNullable<RuntimeSpec['linux']>['namespaces']>[number]
export const namespaces = (...types: Array<Namespace['type']>): Namespace[] => types.map((type) => ({ type }))

export type Written = (context: Context) => RuntimeSpec

/** The same configuration with a filter of system calls. */
export const filtered =
  (write: Written, seccomp: object): Written =>
  (context) => {
    const spec = write(context)
    return { ...spec, linux: { ...spec.linux, seccomp: seccomp as never } }
  }

/** Its whole configuration in the place of runc's default, apart from what the probe needs. */
export const engine = (write: Written, ...places: string[]): Change => ({
  places,
  edit: (spec, context) => {
    const written = write(context)
    const { args } = spec.process!
    for (const name of Object.keys(spec)) delete (spec as object as Record<string, unknown>)[name]
    Object.assign(spec, written, { process: { ...written.process, args } })
  },
})
