/** umoci's flags for the configuration of an image. */
import type { ConfigPatch } from '../../index.ts'
import type { ImageConfig } from '../../spec/index.ts'
import { list, text } from '../command.ts'
import type { Flag, FlagValues } from '../flags.ts'
import { UsageError } from '../usage-error.ts'
import { checkedTime } from './options.ts'

const SINGLE = {
  'config.user': 'User',
  'config.workingdir': 'WorkingDir',
  'config.stopsignal': 'StopSignal',
} as const
const LISTS = { 'config.entrypoint': 'Entrypoint', 'config.cmd': 'Cmd' } as const
const SETS = { 'config.exposedports': 'ExposedPorts', 'config.volume': 'Volumes' } as const

/** Values of `--clear`. */
const CLEARABLE = [
  'config.labels',
  'manifest.annotations',
  'config.exposedports',
  'config.env',
  'config.entrypoint',
  'config.cmd',
  'config.volume',
  'config.user',
  'config.workingdir',
  'config.stopsignal',
  'author',
  'created',
  'rootfs.diffids',
]

export const configFlags: readonly Flag[] = [
  { name: 'config.user', type: 'text', usage: 'user[:group], by names or numbers' },
  { name: 'config.exposedports', type: 'list', usage: 'PORT[/PROTOCOL]' },
  { name: 'config.env', type: 'list', usage: 'NAME=VALUE; one of the same name is replaced' },
  { name: 'config.entrypoint', type: 'list', usage: 'all of these become the entrypoint' },
  { name: 'config.cmd', type: 'list', usage: 'all of these become the command' },
  { name: 'config.volume', type: 'list', usage: 'a path' },
  { name: 'config.label', type: 'list', usage: 'NAME=VALUE' },
  { name: 'config.workingdir', type: 'text', usage: 'a path' },
  { name: 'config.stopsignal', type: 'text', usage: 'SIGNAL' },
  { name: 'created', type: 'text', usage: 'when the image was made (RFC 3339)' },
  { name: 'author', type: 'text', usage: 'who made it' },
  { name: 'platform.os', aliases: ['os'], type: 'text', usage: 'GOOS, such as linux' },
  {
    name: 'platform.arch',
    aliases: ['architecture', 'arch'],
    type: 'text',
    usage: 'GOARCH, such as amd64',
  },
  { name: 'platform.variant', type: 'text', usage: 'of the processor, such as v8' },
  { name: 'manifest.annotation', type: 'list', usage: 'NAME=VALUE' },
  { name: 'clear', type: 'list', usage: `a field to empty first: ${CLEARABLE.slice(0, -1).join(', ')}` },
]

export function configPatch(flags: FlagValues, config: ImageConfig | undefined): ConfigPatch {
  const cleared = clearedOf(flags)
  const old = config?.config ?? {}
  const patch: Record<string, unknown> = {}
  const inner: Record<string, unknown> = {}
  for (const [flag, field] of Object.entries(SINGLE)) {
    if (cleared.has(flag)) inner[field] = null
    const value = text(flags, flag)
    if (value !== undefined) inner[field] = value
  }
  for (const [flag, field] of Object.entries(LISTS)) {
    const values = list(flags, flag)
    if (cleared.has(flag)) inner[field] = null
    if (values.length > 0) inner[field] = values
    // COMPAT(umoci): another entrypoint invalidates the old command.
    if (flag === 'config.entrypoint' && values.length > 0) inner['Cmd'] ??= null
  }
  for (const [flag, field] of Object.entries(SETS)) {
    const added = Object.fromEntries(list(flags, flag).map((value) => [value, {}]))
    if (cleared.has(flag)) inner[field] = replaced(old[field], added)
    else if (Object.keys(added).length > 0) inner[field] = added
  }
  const labels = pairs(flags, 'config.label')
  if (cleared.has('config.labels')) inner['Labels'] = replaced(old.Labels, labels)
  else if (Object.keys(labels).length > 0) inner['Labels'] = labels
  const env = environment(cleared.has('config.env') ? [] : (old.Env ?? []), list(flags, 'config.env'))
  if (env.length > 0) inner['Env'] = env
  else if (cleared.has('config.env')) inner['Env'] = null
  if (Object.keys(inner).length > 0) patch['config'] = inner
  for (const field of ['author', 'created']) {
    if (cleared.has(field)) patch[field] = null
    const value = text(flags, field)
    if (value !== undefined) patch[field] = field === 'created' ? checkedTime(value) : value
  }
  for (const [flag, field] of [
    ['platform.os', 'os'],
    ['platform.arch', 'architecture'],
    ['platform.variant', 'variant'],
  ] as const) {
    const value = text(flags, flag)
    if (value !== undefined) patch[field] = value
    // A variant belongs to an architecture: another one has its own, if any.
    if (flag === 'platform.arch' && value !== undefined && value !== config?.architecture)
      patch['variant'] = null
  }
  return patch as ConfigPatch
}

export function annotationChanges(
  flags: FlagValues,
  old: Record<string, string>,
): Record<string, string | null> {
  const added = pairs(flags, 'manifest.annotation')
  return clearedOf(flags).has('manifest.annotations') ? replaced(old, added)! : added
}

/** Removes the old keys and adds the new ones. */
function replaced<T>(
  old: Record<string, unknown> | null | undefined,
  added: Record<string, T>,
): Record<string, T | null> | null {
  if (Object.keys(added).length === 0 && old === undefined) return null
  return { ...Object.fromEntries(Object.keys(old ?? {}).map((key) => [key, null])), ...added }
}

function clearedOf(flags: FlagValues): Set<string> {
  const cleared = new Set(list(flags, 'clear'))
  for (const field of cleared) {
    if (field === 'rootfs.diffids')
      throw new UsageError('--clear=rootfs.diffids is not safe: layers without their diffIDs are no image')
    if (!CLEARABLE.includes(field)) throw new UsageError(`unknown key to --clear: ${field}`)
  }
  return cleared
}

function pairs(flags: FlagValues, name: string): Record<string, string> {
  return Object.fromEntries(
    list(flags, name).map((entry) => {
      const at = entry.indexOf('=')
      if (at < 1)
        throw new UsageError(`--${name}: invalid entry ${JSON.stringify(entry)}: expected NAME=VALUE`)
      return [entry.slice(0, at), entry.slice(at + 1)]
    }),
  )
}

/** One entry per name, in its old position. */
function environment(old: readonly string[], added: readonly string[]): string[] {
  const env = new Map(old.map((entry) => [entry.split('=', 1)[0]!, entry]))
  for (const entry of added) {
    if (entry.indexOf('=') < 1)
      throw new UsageError(`--config.env: invalid entry ${JSON.stringify(entry)}: expected NAME=VALUE`)
    env.set(entry.split('=', 1)[0]!, entry)
  }
  return [...env.values()]
}
