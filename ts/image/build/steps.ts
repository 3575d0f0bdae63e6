/** Converts options to the steps of the native side. */
import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { helperPath } from '../../native/addon.ts'
import type { LayerStep, TreeOptions } from '../../native/write-layer.ts'
import { processRights } from '../../native/rights.ts'
import { hostPath } from '../host-path.ts'
import type { EntryAttributes, FileContent, LayerEntry, TreeReading } from './content.ts'

/** The context for making steps. */
export interface StepContext {
  epoch: number | undefined
  /** A path for spooling a stream until it is packed. */
  spoolPath: () => string
  signal: AbortSignal | undefined
}

/** How to read a tree, for the native side. */
export function treeOptions(reading: TreeReading & { mask?: readonly string[] | undefined }): TreeOptions {
  const { exclude = [], uidMap = [], gidMap = [], mask = [] } = reading
  const mapped = uidMap.length > 0 || gidMap.length > 0
  const { changesOwners } = processRights()
  // A user namespace has both maps, or none.
  const closed = !changesOwners && uidMap.length > 0 && gidMap.length > 0
  return {
    exclude: [...exclude],
    mask: [...mask],
    uidMap: [...uidMap],
    gidMap: [...gidMap],
    rootless: reading.rootless ?? (!mapped && !changesOwners),
    ...(closed ? { helper: helperPath() } : {}),
  }
}

/** The steps of all entries, which were validated together. */
export async function layerSteps(entries: readonly LayerEntry[], context: StepContext): Promise<LayerStep[]> {
  const steps: LayerStep[] = []
  for (const entry of entries) steps.push(...(await stepsOf(entry, context)))
  return steps
}

async function stepsOf(entry: LayerEntry, context: StepContext): Promise<LayerStep[]> {
  const { path } = entry
  if ('remove' in entry) return [{ kind: 'remove', path }]
  if ('opaque' in entry) return [{ kind: 'opaque', path }]
  if ('content' in entry) return [await fileStep(path, entry.content, entry, context)]
  if ('tree' in entry) return virtualTree(path, entry.tree, context)
  if ('source' in entry) {
    const { uid, gid } = entry
    const step = {
      kind: 'tree',
      path,
      source: hostPath(entry.source, `${path}: source`),
      tree: treeOptions(entry),
    }
    return [defined({ ...step, uid, gid })]
  }
  if (entry.type === 'hardlink') return [{ kind: 'hardlink', path, target: entry.target }]
  const step = { ...attributes(entry, context), kind: entry.type, path }
  if ('target' in entry) return [defined({ ...step, target: entry.target })]
  if (entry.type === 'directory') return [defined(step)]
  const { major, minor } = entry as { major?: number; minor?: number }
  return [defined({ ...step, major, minor })]
}

async function virtualTree(
  path: string,
  tree: Readonly<Record<string, string | Uint8Array | (EntryAttributes & { content: FileContent }) | null>>,
  context: StepContext,
): Promise<LayerStep[]> {
  const steps: LayerStep[] = []
  for (const [name, value] of Object.entries(tree)) {
    const full = posix.join('/', path, name)
    if (value === null) steps.push({ kind: 'remove', path: full })
    else if (typeof value === 'string' || value instanceof Uint8Array) {
      steps.push(await fileStep(full, value, {}, context))
    } else steps.push(await fileStep(full, value.content, value, context))
  }
  return steps
}

async function fileStep(
  path: string,
  content: FileContent,
  given: EntryAttributes,
  context: StepContext,
): Promise<LayerStep> {
  const step = { ...attributes(given, context), kind: 'file', path }
  if (typeof content === 'string') return defined({ ...step, content: Buffer.from(content) })
  if (content instanceof Uint8Array) return defined({ ...step, content })
  if (typeof content === 'object' && 'file' in content) {
    return defined({ ...step, source: hostPath(content.file, `${path}: the file`) })
  }
  const source = context.spoolPath()
  const { signal } = context
  const file = createWriteStream(source, { flags: 'wx', mode: 0o600 })
  await pipeline(Readable.from(content), file, signal ? { signal } : {}).catch((error: unknown) => {
    signal?.throwIfAborted() // the signal's reason, not the stream's AbortError
    throw error
  })
  return defined({ ...step, source })
}

function attributes({ mode, uid, gid, mtime, xattrs }: EntryAttributes, { epoch }: StepContext): object {
  const named = Object.entries(xattrs ?? {}).map(([name, value]) => ({
    name,
    value: typeof value === 'string' ? Buffer.from(value) : value,
  }))
  return { mode, uid, gid, mtime: mtime ?? epoch ?? 0, xattrs: xattrs && named }
}

/** The native side recognises a missing value only by its absence, not by undefined. */
function defined<T extends object>(step: T): LayerStep {
  return Object.fromEntries(
    Object.entries(step).filter(([, value]) => value !== undefined),
  ) as unknown as LayerStep
}

/** A name for a temporary file. */
export function spoolName(): string {
  return `.caisson-${randomUUID()}`
}
