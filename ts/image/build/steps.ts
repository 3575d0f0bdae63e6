/** From the words of the options to the steps of the native side. */
import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CaissonError } from '../../errors.ts'
import { helperPath } from '../../native/addon.ts'
import type { LayerStep, TreeOptions } from '../../native/write-layer.ts'
import { hostPath } from '../host-path.ts'
import type { EntryAttributes, FileContent, LayerEntry, TreeReading } from './content.ts'

/** What making steps needs to know. */
export interface StepContext {
  epoch: number | undefined
  /** Where streams are kept until they are packed. */
  spoolPath: () => string
  signal: AbortSignal | undefined
}

/** How a tree is read, in the words of the native side. */
export function treeOptions(reading: TreeReading & { mask?: readonly string[] | undefined }): TreeOptions {
  const { exclude = [], uidMap = [], gidMap = [], mask = [] } = reading
  for (const [name, map] of Object.entries({ uidMap, gidMap })) {
    for (const range of map) {
      for (const part of ['container', 'host', 'size'] as const)
        checkNumber(name, part, range[part], 0xffffffff)
    }
  }
  const mapped = uidMap.length > 0 || gidMap.length > 0
  const isRoot = process.geteuid?.() === 0
  // A user namespace has both maps, or none.
  const closed = !isRoot && uidMap.length > 0 && gidMap.length > 0
  return {
    exclude: [...exclude],
    mask: [...mask],
    uidMap: [...uidMap],
    gidMap: [...gidMap],
    rootless: reading.rootless ?? (!mapped && !isRoot),
    ...(closed ? { helper: helperPath() } : {}),
  }
}

/** The steps of all entries. Throws `ERR_INVALID_OPTION`. */
export async function layerSteps(entries: readonly LayerEntry[], context: StepContext): Promise<LayerStep[]> {
  const steps: LayerStep[] = []
  for (const entry of entries) steps.push(...(await stepsOf(entry, context)))
  return steps
}

async function stepsOf(entry: LayerEntry, context: StepContext): Promise<LayerStep[]> {
  const { path } = entry
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw invalid(`an entry must have a path, not ${JSON.stringify(path)}`)
  }
  if ('remove' in entry) return [{ kind: 'remove', path }]
  if ('opaque' in entry) return [{ kind: 'opaque', path }]
  if ('content' in entry) return [await fileStep(path, entry.content, entry, context)]
  if ('tree' in entry) return virtualTree(path, entry.tree, context)
  if ('source' in entry) {
    const { uid, gid } = checkedAttributes(path, entry)
    const step = {
      kind: 'tree',
      path,
      source: hostPath(entry.source, `${path}: source`),
      tree: treeOptions(entry),
    }
    return [defined({ ...step, uid, gid })]
  }
  if (!('type' in entry) || !TYPES.has(entry.type)) {
    throw invalid(`${path}: say what it is: content, source, tree, type, remove or opaque`)
  }
  if ('target' in entry && !isLinkTarget(entry.target)) throw invalid(`${path}: a link needs a target`)
  if (entry.type === 'hardlink') {
    refuseAttributes(path, entry)
    return [{ kind: 'hardlink', path, target: entry.target }]
  }
  const step = { ...attributes(path, entry, context), kind: entry.type, path }
  if ('target' in entry) return [defined({ ...step, target: entry.target })]
  if (entry.type === 'directory') return [defined(step)]
  const { major, minor } = entry as { major?: number; minor?: number }
  checkNumber(path, 'major', major, 0xfff)
  checkNumber(path, 'minor', minor, 0xfffff)
  return [defined({ ...step, major, minor })]
}

/** They are those of the file: readers of a layer disagree on what others would do to it. */
function refuseAttributes(path: string, link: object): void {
  for (const name of ['mode', 'uid', 'gid', 'mtime', 'xattrs']) {
    if (name in link) throw invalid(`${path}: a hard link has the ${name} of its target`)
  }
}

const TYPES = new Set(['directory', 'symlink', 'hardlink', 'char', 'block', 'fifo'])

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
  const step = { ...attributes(path, given, context), kind: 'file', path }
  if (typeof content === 'string') return defined({ ...step, content: Buffer.from(content) })
  if (content instanceof Uint8Array) return defined({ ...step, content })
  if (typeof content === 'object' && 'file' in content) {
    return defined({ ...step, source: hostPath(content.file, `${path}: the file`) })
  }
  if (typeof content?.[Symbol.asyncIterator] !== 'function')
    throw invalid(`${path}: its content must be a text, bytes, a stream or a file`)
  const source = context.spoolPath()
  const { signal } = context
  const file = createWriteStream(source, { flags: 'wx', mode: 0o600 })
  await pipeline(Readable.from(content), file, signal ? { signal } : {}).catch((error: unknown) => {
    signal?.throwIfAborted() // its own reason, not the stream's AbortError
    throw error
  })
  return defined({ ...step, source })
}

const isLinkTarget = (target: unknown): boolean =>
  typeof target === 'string' && target !== '' && !target.includes('\0')

function xattrsOf(path: string, given: EntryAttributes['xattrs']): { name: string; value: Uint8Array }[] {
  return Object.entries(given ?? {}).map(([name, text]) => {
    const value = typeof text === 'string' ? Buffer.from(text) : text
    if (name !== '' && !name.includes('\0') && value instanceof Uint8Array) return { name, value }
    throw invalid(`${path}: xattrs: ${JSON.stringify(name)} must be a name with a text or bytes`)
  })
}

function checkedAttributes(path: string, given: EntryAttributes): EntryAttributes {
  for (const [name, limit] of [
    ['mode', 0o7777],
    ['uid', 0xfffffffe],
    ['gid', 0xfffffffe],
  ] as const) {
    checkNumber(path, name, given[name], limit)
  }
  if (given.mtime !== undefined && !Number.isSafeInteger(given.mtime)) {
    throw invalid(`${path}: mtime must be whole seconds, not ${given.mtime}`)
  }
  return given
}

function checkNumber(path: string, name: string, value: number | undefined, limit: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= 0 && value <= limit)) return
  throw invalid(`${path}: ${name} must be a whole number between 0 and ${limit}, not ${value}`)
}

function attributes(path: string, given: EntryAttributes, { epoch }: StepContext): object {
  const { mode, uid, gid, mtime = epoch ?? 0, xattrs } = checkedAttributes(path, given)
  return { mode, uid, gid, mtime, xattrs: xattrs && xattrsOf(path, xattrs) }
}

/** The native side tells a missing value from one that is undefined only by its absence. */
function defined<T extends object>(step: T): LayerStep {
  return Object.fromEntries(
    Object.entries(step).filter(([, value]) => value !== undefined),
  ) as unknown as LayerStep
}

function invalid(message: string): CaissonError {
  return new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate' })
}

/** A name for something kept for the moment. */
export function spoolName(): string {
  return `.caisson-${randomUUID()}`
}
