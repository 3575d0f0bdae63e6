/** Converts an image configuration to a runtime configuration: image-spec, conversion.md, point by point. */
import { posix } from 'node:path'
import { CaissonError } from '../errors.ts'
import type { ImageConfig, RuntimeSpec } from '../spec/index.ts'
import { defaultSpec } from './default-spec.ts'
import type { IdMappings } from './id-mappings.ts'
import { MAX_VOLUMES } from './limits.ts'

/** Overrides of the image configuration. */
export interface RuntimeConfigOptions {
  /** Program and arguments in place of Entrypoint and Cmd. */
  args?: readonly string[] | undefined
  /** Added to the image's environment; `undefined` removes a variable. */
  env?: Readonly<Record<string, string | undefined>> | undefined
  /** Absolute path inside the container. */
  cwd?: string | undefined
  /** In the form of the image's `User`: `user`, `uid`, `user:group`, … */
  user?: string | undefined
  /** A configuration for an unprivileged user: a user namespace with one id. */
  rootless?: boolean | undefined
  /** A user namespace with these ids. */
  idMappings?: IdMappings | undefined
  hostname?: string | undefined
  /** Whether the program gets a terminal. */
  terminal?: boolean | undefined
  /** Whether the root file system is read-only. */
  readonly?: boolean | undefined
}

/** Ids in the image. */
export interface ResolvedUser {
  uid: number
  gid: number
  additionalGids: number[]
  home?: string | undefined
}

const PREFIX = 'org.opencontainers.image.'
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * The configuration for `runtime-spec`. `lookUp` resolves a user below the unpacked root file system. Throws
 * `ERR_INVALID_IMAGE`, `ERR_UNSUPPORTED_IMAGE` if the image is not for Linux, and `ERR_INVALID_OPTION` if neither image
 * nor options name a program.
 */
export function toRuntimeConfig(
  image: ImageConfig,
  options: RuntimeConfigOptions,
  lookUp: (user: string) => ResolvedUser,
): RuntimeSpec {
  const { config, os } = image
  const { idMappings } = options
  if (os !== 'linux') {
    throw new CaissonError('ERR_UNSUPPORTED_IMAGE', `an image for ${os} makes no bundle for Linux`, {
      phase: 'validate',
      hint: 'its root file system can be unpacked alone',
    })
  }
  const spec = defaultSpec({ rootless: options.rootless ?? false })
  if (idMappings) mapIds(spec, idMappings)
  const process = spec.process as NonNullable<RuntimeSpec['process']>
  const user = lookUp(options.user ?? config?.User ?? '')

  process.terminal = options.terminal ?? false
  process.cwd = absolute(options.cwd ?? config?.WorkingDir ?? '')
  process.env = environment(config?.Env ?? [], options.env ?? {}, {
    PATH: DEFAULT_PATH,
    HOME: user.home,
    TERM: process.terminal ? 'xterm' : undefined,
  })
  process.args = options.args ? [...options.args] : [...(config?.Entrypoint ?? []), ...(config?.Cmd ?? [])]
  if (process.args.length === 0) {
    throw new CaissonError('ERR_INVALID_OPTION', 'the image names no program to run', {
      phase: 'validate',
      hint: 'give one in the option args',
    })
  }
  // A single mapped id leaves no room for supplementary groups.
  const hasGroups = idMappings !== undefined || !options.rootless
  process.user = {
    uid: user.uid,
    gid: user.gid,
    // SECURITY: the primary group is included, as in initgroups(3): otherwise a set-group-id program can drop it, and
    // with it the denials of a file's group bits (CVE-2022-2989, CVE-2022-36109, CVE-2023-25173).
    ...(hasGroups ? { additionalGids: [...new Set([user.gid, ...user.additionalGids])] } : {}),
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

/** Absent or empty means the root; a relative path starts there, as in engines: runtimes refuse it. */
function absolute(path: string): string {
  return path.startsWith('/') ? path : `/${path}`
}

/** One entry per name, the last one: libc and runtimes handle duplicates differently. */
function environment(
  entries: readonly string[],
  changes: Readonly<Record<string, string | undefined>>,
  defaults: Readonly<Record<string, string | undefined>>,
): string[] {
  const env = new Map<string, string>()
  for (const entry of entries) {
    const equals = entry.indexOf('=')
    if (equals < 1) {
      throw new CaissonError(
        'ERR_INVALID_IMAGE',
        `config.Env: invalid entry ${JSON.stringify(entry)}: expected NAME=value`,
      )
    }
    env.set(entry.slice(0, equals), entry)
  }
  // Defaults never override the image, only complete it.
  for (const [name, value] of Object.entries(defaults)) {
    if (value !== undefined && !env.has(name)) env.set(name, `${name}=${value}`)
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) env.delete(name)
    else env.set(name, `${name}=${value}`)
  }
  return [...env.values()]
}

/** Labels take precedence over annotations derived from other fields. Empty values are left out. */
function annotations(image: ImageConfig): Record<string, string> {
  const { config } = image
  const derived: Record<string, string | null | undefined> = {
    os: image.os,
    architecture: image.architecture,
    variant: image.variant,
    'os.version': image['os.version'],
    'os.features': [...(image['os.features'] ?? [])].sort().join(','),
    author: image.author,
    created: image.created,
    stopSignal: config?.StopSignal,
    exposedPorts: Object.keys(config?.ExposedPorts ?? {})
      .sort()
      .join(','),
  }
  const named = Object.entries(derived).filter((pair): pair is [string, string] => Boolean(pair[1]))
  // A Map, because a label may be named __proto__.
  const all = new Map(named.map(([name, value]) => [`${PREFIX}${name}`, value]))
  for (const [name, value] of Object.entries(config?.Labels ?? {})) {
    if (name !== '') all.set(name, value) // runtime-spec forbids a key without a name
  }
  return Object.fromEntries(all)
}

/**
 * Data in a volume is not part of the image: each becomes an empty tmpfs, as in umoci. Paths are cleaned as in engines:
 * runtimes refuse `..` or follow it, and one directory under two names would be two mounts.
 */
function volumes(config: ImageConfig['config']): NonNullable<RuntimeSpec['mounts']> {
  const count = Object.keys(config?.Volumes ?? {}).length
  if (count > MAX_VOLUMES) {
    const message = `config.Volumes has ${count} entries, more than ${MAX_VOLUMES}`
    throw new CaissonError('ERR_LIMIT_EXCEEDED', message, { phase: 'validate' })
  }
  const destinations = new Set(Object.keys(config?.Volumes ?? {}).map((path) => posix.resolve('/', path)))
  if (destinations.has('/')) {
    throw new CaissonError('ERR_INVALID_IMAGE', 'config.Volumes names the root directory', {
      phase: 'validate',
      hint: 'no runtime mounts there; caisson image config --clear config.volume takes the volumes away',
    })
  }
  return [...destinations].sort().map((destination) => ({
    destination,
    type: 'tmpfs',
    source: 'none',
    options: ['rw', 'nosuid', 'nodev', 'noexec', 'relatime'],
  }))
}
