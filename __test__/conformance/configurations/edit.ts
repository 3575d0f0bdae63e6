/** Changes of runc's default configuration, from which the tables beside this file are made. */
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Mount, RuntimeSpec } from '../../../ts/spec/index.ts'
import type { Holder } from '../holder.ts'

export interface Context {
  bundle: string
  /** The id of the container. */
  id: string
  /** The process whose namespaces are joined. */
  holder: Holder
}

export interface Configuration {
  name: string
  edit: (spec: RuntimeSpec, context: Context) => void
  /** Paths whose type, mode and content the probe reports. */
  places?: string[]
  /** Instead of the probe. */
  args?: string[]
  /** Sections in which we differ from what the peers agree on, each with the reason. */
  differs?: Record<string, string>
}

export type Table = Record<string, Omit<Configuration, 'name'>>
export type Change = Omit<Configuration, 'name'>

export const edit = (change: (spec: RuntimeSpec, context: Context) => void): Change => ({ edit: change })
export const process = (change: object): Change => edit((spec) => void Object.assign(spec.process!, change))
export const user = (change: object): Change =>
  edit((spec) => void Object.assign(spec.process!.user!, change))
export const linux = (change: object): Change => edit((spec) => void Object.assign(spec.linux!, change))
export const top = (change: object): Change => edit((spec) => void Object.assign(spec, change))
export const resources = (change: object): Change =>
  edit((spec) => void (spec.linux!.resources = { ...spec.linux!.resources, ...change }))
export const program = (...args: string[]): Change => ({ edit: () => {}, args })

/** All of them, one after the other; what else they have, of the last that has it. */
export const all = (...changes: Change[]): Change => ({
  ...Object.assign({}, ...changes),
  edit: (spec, context) => changes.forEach((change) => change.edit(spec, context)),
})
/** The same change, with the reasons for our difference. */
export const differing = (differs: Record<string, string>, change: Change): Change => ({ ...change, differs })

// Mounts

export const mounts = (...added: Mount[]): Change => ({
  edit: (spec) => void spec.mounts!.push(...added),
  places: added.map(({ destination }) => destination),
})
export const tmpfs = (options: string[], destination = '/tmp'): Mount => ({
  destination,
  type: 'tmpfs',
  source: 'tmpfs',
  options,
})
/** Binds `source`, made in the bundle, at /data. */
export const bound = (
  options: string[],
  make: (path: string) => void = (path) => mkdirSync(path),
  destination = '/data',
): Change => ({
  edit: (spec, { bundle }) => {
    const source = join(bundle, 'source')
    make(source)
    chmodSync(source, 0o751)
    spec.mounts!.push({ destination, source, options })
  },
  places: [destination],
})

// Namespaces

/** A new sysfs belongs to a new network namespace; with another one, the host's is bound. */
export function hostSysfs(spec: RuntimeSpec): void {
  const mount = spec.mounts!.find(({ destination }) => destination === '/sys')!
  Object.assign(mount, {
    type: 'none',
    source: '/sys',
    options: ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'],
  })
}
export const without = (...types: string[]): Change =>
  edit((spec) => {
    spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => !types.includes(type))
    if (types.includes('uts')) delete spec.hostname
    if (types.includes('network')) hostSysfs(spec)
  })
export const joining = (...types: Array<'network' | 'ipc' | 'uts' | 'pid'>): Change =>
  edit((spec, { holder }) => {
    for (const type of types) {
      spec.linux!.namespaces!.find((namespace) => namespace.type === type)!.path = holder.path(type)
      if (type === 'uts') delete spec.hostname
    }
  })
const range = (containerID: number, hostID: number, size: number): object => ({ containerID, hostID, size })
export const userNamespace = (
  ...ranges: Array<[containerID: number, hostID: number, size: number]>
): Change =>
  edit((spec) => {
    spec.linux!.namespaces!.push({ type: 'user' })
    const mappings = ranges.map((each) => range(...each))
    if (ranges.length > 0) Object.assign(spec.linux!, { uidMappings: mappings, gidMappings: mappings })
  })

// Devices

export const device = (path: string, change: object = {}): Change => ({
  ...linux({
    devices: [{ path, type: 'c', major: 1, minor: 5, fileMode: 0o640, uid: 3, gid: 4, ...change }],
  }),
  places: [path],
})
