/** From an image configuration to a runtime configuration: image-spec, conversion.md, point by point. */
import { CaissonError } from '../errors.ts'
import type { ImageConfig, RuntimeSpec } from '../spec/index.ts'
import { defaultSpec } from './default-spec.ts'
import type { IdMappings } from './id-mappings.ts'

/** Changes to what the image says. */
export interface RuntimeConfigOptions {
  /** Program and arguments in place of Entrypoint and Cmd. */
  args?: readonly string[] | undefined
  /** Added to the image's environment; `undefined` takes a variable away. */
  env?: Readonly<Record<string, string | undefined>> | undefined
  /** Absolute path inside the container. */
  cwd?: string | undefined
  /** In the words of the image's `User`: `user`, `uid`, `user:group`, … */
  user?: string | undefined
  /** Configuration for an ordinary user: a user namespace with one id. */
  rootless?: boolean | undefined
  /** A user namespace with these ids. */
  idMappings?: IdMappings | undefined
  hostname?: string | undefined
  /** Whether the program gets a terminal. */
  terminal?: boolean | undefined
  /** Whether the root file system is read-only. */
  readonly?: boolean | undefined
}

/** Ids as they are in the image. */
export interface ResolvedUser {
  uid: number
  gid: number
  additionalGids: number[]
  home?: string | undefined
}

const PREFIX = 'org.opencontainers.image.'
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * The configuration for `runtime-spec`. `lookUp` resolves a user below the unpacked root file system.
 * Throws `ERR_INVALID_IMAGE`, and `ERR_INVALID_OPTION` where neither image nor options name a program.
 */
export function toRuntimeConfig(
  image: ImageConfig,
  options: RuntimeConfigOptions,
  lookUp: (user: string) => ResolvedUser,
): RuntimeSpec {
  const { config } = image
  const { idMappings } = options
  const spec = defaultSpec({ rootless: options.rootless ?? false })
  if (idMappings) mapIds(spec, idMappings)
  const process = spec.process as NonNullable<RuntimeSpec['process']>
  const user = lookUp(options.user ?? config?.User ?? '')

  process.terminal = options.terminal ?? false
  process.cwd = workingDirectory(options.cwd ?? config?.WorkingDir ?? '')
  process.env = environment(config?.Env ?? [], options.env ?? {}, user.home)
  process.args = options.args ? [...options.args] : [...(config?.Entrypoint ?? []), ...(config?.Cmd ?? [])]
  if (process.args.length === 0) {
    throw new CaissonError('ERR_INVALID_OPTION', 'the image names no program to run', {
      phase: 'validate',
      hint: 'give one in the option args',
    })
  }
  process.user = {
    uid: user.uid,
    gid: user.gid,
    // A single mapped id leaves no room for supplementary groups.
    ...(user.additionalGids.length > 0 && (idMappings || !options.rootless)
      ? { additionalGids: user.additionalGids }
      : {}),
  }
  spec.root = { path: 'rootfs', readonly: options.readonly ?? false }
  if (options.hostname !== undefined) spec.hostname = options.hostname
  spec.annotations = annotations(image)
  spec.mounts = [...(spec.mounts ?? []), ...volumes(config)]
  return spec
}

/** A user namespace with these ids. */
function mapIds(spec: RuntimeSpec, { uidMappings, gidMappings }: IdMappings): void {
  const { namespaces = [], ...linux } = spec.linux ?? {}
  const others = (namespaces ?? []).filter(({ type }) => type !== 'user')
  spec.linux = {
    ...linux,
    namespaces: [...others, { type: 'user' }],
    uidMappings: [...uidMappings],
    gidMappings: [...gidMappings],
  }
}

/** Absent or empty is the root; a relative one is taken from there. */
function workingDirectory(path: string): string {
  return path.startsWith('/') ? path : `/${path}`
}

/** One entry per name, the last wins: what libc makes of doubles differs from what runtimes do. */
function environment(
  entries: readonly string[],
  changes: Readonly<Record<string, string | undefined>>,
  home: string | undefined,
): string[] {
  const env = new Map<string, string>()
  for (const entry of entries) {
    const equals = entry.indexOf('=')
    if (equals < 1) {
      throw new CaissonError(
        'ERR_INVALID_IMAGE',
        `config.Env has the entry ${JSON.stringify(entry)}: no NAME=value`,
      )
    }
    env.set(entry.slice(0, equals), entry)
  }
  // What the image says is never overridden, only completed.
  if (!env.has('PATH')) env.set('PATH', DEFAULT_PATH)
  if (!env.has('HOME') && home !== undefined) env.set('HOME', `HOME=${home}`)
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) env.delete(name)
    else env.set(name, `${name}=${value}`)
  }
  return [...env.values()]
}

/** Labels win over what is derived from other fields. Empty values are left out. */
function annotations(image: ImageConfig): Record<string, string> {
  const { config } = image
  const derived: Record<string, string | null | undefined> = {
    os: image.os,
    architecture: image.architecture,
    variant: image.variant,
    'os.version': image['os.version'],
    'os.features': image['os.features']?.join(','),
    author: image.author,
    created: image.created,
    stopSignal: config?.StopSignal,
    exposedPorts: Object.keys(config?.ExposedPorts ?? {})
      .sort()
      .join(','),
  }
  const named = Object.entries(derived).filter((pair): pair is [string, string] => Boolean(pair[1]))
  // A Map, as a label may be called __proto__.
  const all = new Map(named.map(([name, value]) => [`${PREFIX}${name}`, value]))
  for (const [name, value] of Object.entries(config?.Labels ?? {})) all.set(name, value)
  return Object.fromEntries(all)
}

/** Data in a volume is not part of the image: a tmpfs each, as umoci does it. */
function volumes(config: ImageConfig['config']): NonNullable<RuntimeSpec['mounts']> {
  return Object.keys(config?.Volumes ?? {})
    .sort()
    .map((destination) => ({
      destination: workingDirectory(destination),
      type: 'tmpfs',
      source: 'none',
      options: ['rw', 'nosuid', 'nodev', 'noexec', 'relatime'],
    }))
}
