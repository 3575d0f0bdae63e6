/** Flags shared by several verbs, named as in umoci, and their options. */
import type { CompressionOptions, HistoryOptions, IdMappings, IdRange } from '../../index.ts'
import type { IdMapping } from '../../spec/index.ts'
import { isTimestamp } from '../../spec/timestamp.ts'
import { list, number, on, text } from '../command.ts'
import type { Flag, FlagValues } from '../flags.ts'
import { UsageError } from '../usage-error.ts'

export const historyFlags: readonly Flag[] = [
  { name: 'no-history', type: 'switch', usage: 'write no entry of history' },
  { name: 'history.author', type: 'text', usage: 'author of the entry of history' },
  { name: 'history.comment', type: 'text', usage: 'comment of the entry of history' },
  { name: 'history.created', type: 'text', usage: 'when it was made (RFC 3339)' },
  { name: 'history.created_by', type: 'text', usage: 'what made it' },
]

export function historyOf(flags: FlagValues): HistoryOptions | false {
  if (on(flags, 'no-history')) {
    if (historyFlags.some(({ name, type }) => type === 'text' && flags.has(name))) {
      throw new UsageError('--no-history and --history.* contradict each other')
    }
    return false
  }
  return {
    author: text(flags, 'history.author'),
    comment: text(flags, 'history.comment'),
    created: checkedTime(text(flags, 'history.created')),
    createdBy: text(flags, 'history.created_by'),
  }
}

/** RFC 3339, returned verbatim. */
export function checkedTime(time: string | undefined): string | undefined {
  if (time === undefined || isTimestamp(time)) return time
  throw new UsageError(
    `invalid time ${JSON.stringify(time)}: expected RFC 3339, such as 2026-01-31T12:00:00Z`,
  )
}

export const compressionFlags: readonly Flag[] = [
  {
    name: 'compress',
    type: 'text',
    usage: 'auto (as the topmost layer), gzip, zstd or none',
    default: 'auto',
  },
  { name: 'level', type: 'number', usage: 'gzip 1 to 9, zstd 1 to 19' },
]

export function compressionOf(flags: FlagValues): CompressionOptions {
  const compression = text(flags, 'compress')
  if (compression !== undefined && !['auto', 'gzip', 'zstd', 'none'].includes(compression)) {
    throw new UsageError(`--compress must be auto, gzip, zstd or none, not ${JSON.stringify(compression)}`)
  }
  return { compression: compression as CompressionOptions['compression'], level: number(flags, 'level') }
}

export const idMapFlags: readonly Flag[] = [
  { name: 'uid-map', type: 'list', usage: 'CONTAINER:HOST[:SIZE], ids of users; may be repeated' },
  { name: 'gid-map', type: 'list', usage: 'the same for groups' },
]

export const ownerFlags: readonly Flag[] = [
  ...idMapFlags,
  {
    name: 'rootless',
    type: 'switch',
    usage: 'the tree of an ordinary user: everything is root in the image',
  },
]

export function idMapsOf(flags: FlagValues): { uidMap: IdRange[]; gidMap: IdRange[] } {
  return { uidMap: list(flags, 'uid-map').map(range), gidMap: list(flags, 'gid-map').map(range) }
}

/** For a user namespace: both maps or none. */
export function idMappingsOf(flags: FlagValues): IdMappings | undefined {
  const { uidMap, gidMap } = idMapsOf(flags)
  if (uidMap.length === 0 && gidMap.length === 0) return undefined
  if (uidMap.length === 0 || gidMap.length === 0)
    throw new UsageError('--uid-map and --gid-map belong together')
  const mapping = ({ container, host, size }: IdRange): IdMapping => ({
    containerID: container,
    hostID: host,
    size,
  })
  return { uidMappings: uidMap.map(mapping), gidMappings: gidMap.map(mapping) }
}

export function ownersOf(flags: FlagValues): { uidMap: IdRange[]; gidMap: IdRange[]; rootless?: boolean } {
  const maps = idMapsOf(flags)
  return on(flags, 'rootless') ? { ...maps, rootless: true } : maps
}

function range(text: string): IdRange {
  const match = /^(\d+):(\d+)(?::(\d+))?$/.exec(text)
  const [container, host, size] = match ? match.slice(1).map((digits) => Number(digits ?? 1)) : []
  if (container === undefined || Math.max(container, host!, size!) > 0xffffffff) {
    throw new UsageError(`invalid id map ${JSON.stringify(text)}: write CONTAINER:HOST[:SIZE]`)
  }
  return { container, host: host!, size: size! }
}
