/** Options that change a container's configuration, and how. Everything else is reached through `spec`. */
import { resolve } from 'node:path'
import { CaissonError, SpecError, type SpecIssue } from '../../errors.ts'
import { isObject } from '../../options.ts'
import type { RuntimeSpec } from '../../spec/index.ts'
import { defaultProfile } from './default-seccomp.ts'
import { profileOf, type SeccompOption } from '../system-call/option.ts'
import { parseSize, type Size } from './size.ts'

type Process = NonNullable<RuntimeSpec['process']>
type Mount = NonNullable<RuntimeSpec['mounts']>[number]

/** Numeric ids inside the container. */
export interface UserIds {
  uid: number
  /** Default: the group of that user in the root file system's passwd, and 0 where it has none. */
  gid?: number
  /** Default: the user's groups there, or `gid` alone where that is given. */
  additionalGids?: number[]
}

/** Who a user is in the container's root file system: `name`, `uid`, `name:group`, … */
export type LookUpUser = (user: string) => UserIds & { gid: number }

/** Names are Node's where Node has one, otherwise those of the OCI runtime specification. */
export interface SpecOptions {
  /** Program and arguments in place of the configuration's. */
  args?: readonly string[] | undefined
  /** Working directory inside the container, absolute; made if missing. */
  cwd?: string | undefined
  /** Added to the environment of the image or configuration; `undefined` removes a variable. */
  env?: Readonly<Record<string, string | undefined>> | undefined
  /**
   * `1000`, `'1000:1000'`, `'web'`, `'web:staff'` or ids. Groups that are not given come from the root file system's
   * passwd and group files, as with the `User` of an image.
   */
  user?: number | string | UserIds | undefined
  hostname?: string | undefined
  /** Memory limit: bytes or `'64MiB'`; at least 1 MiB. Swap is not limited by it. */
  memory?: Size | undefined
  /** Number of processors, `0.5` is half of one. */
  cpus?: number | undefined
  /** Largest number of processes and threads. */
  pids?: number | undefined
  noNewPrivileges?: boolean | undefined
  /** Whether the root file system is read-only. */
  readonly?: boolean | undefined
  /** Added after the mounts of the configuration. A bind mount's relative source counts from the current directory. */
  mounts?: readonly Mount[] | undefined
  /** Whether the program gets a terminal. */
  terminal?: boolean | undefined
  /**
   * Filter of system calls, and a callback that answers the calls it notifies. Default: the configuration's; for images
   * and `'host'`, `'default'`.
   */
  seccomp?: SeccompOption | undefined
  /** The last word: gets the finished configuration, returns the one to use. */
  spec?: ((spec: RuntimeSpec) => RuntimeSpec) | undefined
}

const names = [
  'args',
  'cwd',
  'env',
  'user',
  'hostname',
  'memory',
  'cpus',
  'pids',
  'noNewPrivileges',
  'readonly',
  'mounts',
  'terminal',
  'seccomp',
  'spec',
] as const satisfies readonly (keyof SpecOptions)[]

/** Whether there is anything to change; if not, a bundle's config.json goes to the native side byte for byte. */
export function changesSpec(options: SpecOptions): boolean {
  return names.some((name) => options[name] !== undefined)
}

/** A changed copy, with options that were checked one by one. Throws `ERR_INVALID_OPTION` with every invalid option. */
export function applyOptions(original: RuntimeSpec, options: SpecOptions, lookUp: LookUpUser): RuntimeSpec {
  const issues: SpecIssue[] = []
  const spec = structuredClone(original)
  const process: Process = (spec.process ??= { cwd: '/', args: [] } as unknown as Process)
  applyProcess(process, options, { linux: spec.linux, lookUp, issues })
  if (options.hostname !== undefined) spec.hostname = options.hostname
  if (options.readonly !== undefined && spec.root) spec.root.readonly = options.readonly
  if (options.mounts) spec.mounts = [...(spec.mounts ?? []), ...options.mounts.map(fromHere)]
  applyLimits(spec, options)
  applySeccomp(spec, options)
  if (issues.length > 0) throw new SpecError('ERR_INVALID_OPTION', 'options', issues)
  if (!options.spec) return spec
  const last: unknown = options.spec(spec)
  if (isObject(last) && typeof last['then'] !== 'function') return last as unknown as RuntimeSpec
  const message = 'must return the configuration at once, not undefined and no promise'
  throw new SpecError('ERR_INVALID_OPTION', 'options', [{ path: 'spec', message }])
}

function applyProcess(
  process: Process,
  options: SpecOptions,
  { linux, lookUp, issues }: { linux: RuntimeSpec['linux']; lookUp: LookUpUser; issues: SpecIssue[] },
): void {
  const { args, cwd, env, user, noNewPrivileges, terminal } = options
  if (args !== undefined) process.args = [...args]
  if (cwd !== undefined) process.cwd = cwd
  if (env !== undefined) process.env = mergeEnv(process.env ?? [], env)
  if (user !== undefined) {
    try {
      process.user = userOf(user, lookUp, mapsOneGroup(linux))
    } catch (error) {
      if (!(error instanceof CaissonError)) throw error
      issues.push({ path: 'user', message: error.message })
    }
  }
  if (noNewPrivileges !== undefined) process.noNewPrivileges = noNewPrivileges
  if (terminal !== undefined) process.terminal = terminal
}

function applySeccomp(spec: RuntimeSpec, options: SpecOptions): void {
  const option = profileOf(options)
  if (option === undefined) return
  const profile = option === 'default' ? defaultProfile(spec) : option
  if (profile === 'unconfined' || profile === undefined) delete spec.linux?.seccomp
  else (spec.linux ??= {}).seccomp = profile
}

/** The options of a source that has the default profile unless its options say otherwise. */
export function withDefaultProfile<T extends SpecOptions>(options: T): T {
  return { ...options, seccomp: profileOf(options) ?? 'default' }
}

/** A relative source counts from the caller's directory: the bundle, where a configuration's do, may be hidden. */
function fromHere(mount: Mount): Mount {
  const isBind = mount.options?.some((option) => option === 'bind' || option === 'rbind')
  return isBind && mount.source ? { ...mount, source: resolve(mount.source) } : mount
}

/** Then a user namespace of an ordinary user denies setgroups(2). */
function mapsOneGroup(linux: RuntimeSpec['linux']): boolean {
  const mapped = linux?.gidMappings?.reduce((total, { size }) => total + size, 0)
  return mapped === 1
}

function applyLimits(spec: RuntimeSpec, options: SpecOptions): void {
  const { memory, cpus, pids } = options
  if (memory === undefined && cpus === undefined && pids === undefined) return
  const resources = ((spec.linux ??= {}).resources ??= {})
  if (memory !== undefined) resources.memory = { ...resources.memory, limit: memoryLimit(memory) }
  if (cpus !== undefined) {
    const period = 100_000 // microseconds, the kernel's default
    resources.cpu = { ...resources.cpu, quota: Math.round(cpus * period), period }
  }
  if (pids !== undefined) resources.pids = { limit: pids }
}

/** The container's own set-up needs a quarter of it. */
const LEAST_MEMORY = 2 ** 20

function memoryLimit(memory: Size): number {
  const limit = parseSize(memory, 'memory')
  if (limit >= LEAST_MEMORY) return limit
  const message = `invalid limit ${JSON.stringify(memory)}: expected at least 1MiB, or no \`memory\` for no limit`
  throw new SpecError('ERR_INVALID_OPTION', 'options', [{ path: 'memory', message }])
}

function mergeEnv(
  original: readonly string[],
  changes: Readonly<Record<string, string | undefined>>,
): string[] {
  const env = new Map(original.map((text) => [text.split('=', 1)[0]!, text]))
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) env.delete(name)
    else env.set(name, `${name}=${value}`)
  }
  return [...env.values()]
}

function userOf(
  user: number | string | UserIds,
  lookUp: LookUpUser,
  oneGroup: boolean,
): NonNullable<Process['user']> {
  if (typeof user === 'object') {
    const { uid } = user
    const found = user.gid === undefined ? lookUp(String(uid)) : { uid, gid: user.gid }
    return { ...withGroups(found, oneGroup), ...user }
  }
  return withGroups(lookUp(String(user)), oneGroup)
}

function withGroups(
  { uid, gid, additionalGids = [] }: UserIds & { gid: number },
  oneGroup: boolean,
): NonNullable<Process['user']> {
  // SECURITY: its own group is one of its groups (CVE-2022-2989), except where none can be set.
  return { uid, gid, additionalGids: oneGroup ? [] : [...new Set([gid, ...additionalGids])] }
}
