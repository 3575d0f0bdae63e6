/** Checks of layer options, all before anything is written. */
import {
  either,
  flag,
  isObject,
  isText,
  list,
  named,
  needed,
  object,
  oneOf,
  path,
  such,
  text,
  whole,
  type Check,
  type Known,
} from '../../options.ts'
import type {
  ArchiveLayer,
  CopyEntry,
  DifferenceLayer,
  DirectoryEntry,
  EntriesLayer,
  EntryAttributes,
  FileEntry,
  HardlinkEntry,
  OpaqueEntry,
  RemoveEntry,
  SpecialEntry,
  SymlinkEntry,
  TreeReading,
  UpperLayer,
  VirtualTree,
} from '../build/content.ts'
import { history, id, idRanges, word } from './parts.ts'

const bytes: Check = such('bytes', (value) => value instanceof Uint8Array)
const textOrBytes = either(text, bytes)

export const treeReading: Known<TreeReading> = {
  exclude: list(text),
  uid: id,
  gid: id,
  uidMap: idRanges,
  gidMap: idRanges,
  rootless: flag,
}

const attributes = {
  mode: whole(0, 0o7777),
  uid: id,
  gid: id,
  mtime: whole(Number.MIN_SAFE_INTEGER),
  xattrs: named(textOrBytes, isText),
} satisfies Known<EntryAttributes>

const content: Check = {
  takes: 'a text, bytes, a stream or { file }',
  issues(value, at) {
    if (isObject(value) && 'file' in value) return object({ file: needed(path) }).issues(value, at)
    const isStream = (value as { [Symbol.asyncIterator]?: unknown } | null | undefined)?.[
      Symbol.asyncIterator
    ]
    return typeof isStream === 'function' ? [] : such(this.takes, isPlain).issues(value, at)
  },
}

function isPlain(value: unknown): boolean {
  return typeof value === 'string' || value instanceof Uint8Array
}

const at = needed(word)
const special = { path: at, ...attributes, major: whole(0, 0xfff), minor: whole(0, 0xfffff) }
const types: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  directory: { path: at, type: needed(oneOf('directory')), ...attributes } satisfies Known<DirectoryEntry>,
  symlink: {
    path: at,
    type: needed(oneOf('symlink')),
    target: needed(word),
    ...attributes,
  } satisfies Known<SymlinkEntry>,
  // A hard link has the attributes of its file: readers of a layer disagree on what others would mean.
  hardlink: {
    path: at,
    type: needed(oneOf('hardlink')),
    target: needed(word),
  } satisfies Known<HardlinkEntry>,
  char: { ...special, type: needed(oneOf('char')) } satisfies Known<SpecialEntry>,
  block: { ...special, type: needed(oneOf('block')) } satisfies Known<SpecialEntry>,
  fifo: { ...special, type: needed(oneOf('fifo')) } satisfies Known<SpecialEntry>,
}
const marks: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  remove: { path: at, remove: needed(oneOf(true)) } satisfies Known<RemoveEntry>,
  opaque: { path: at, opaque: needed(oneOf(true)) } satisfies Known<OpaqueEntry>,
  content: { path: at, content: needed(content), ...attributes } satisfies Known<FileEntry>,
  tree: {
    path: at,
    tree: needed(
      named(either(oneOf(null), textOrBytes, object({ content: needed(content), ...attributes })), isText),
    ),
  } satisfies Known<VirtualTree>,
  source: { path: at, source: needed(path), ...treeReading } satisfies Known<CopyEntry>,
}

const entry: Check = {
  takes: 'an object with content, source, tree, type, remove or opaque',
  issues(value, where) {
    if (isObject(value)) {
      const type = value['type']
      const known =
        typeof type === 'string' && Object.hasOwn(types, type) ? types[type] : marked(value, marks)
      if (known) return object(known).issues(value, where)
    }
    return such(this.takes, () => false).issues(value, where)
  },
}

const common = { history, annotations: named(text, (name) => name !== '') }
const kinds: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  archive: { archive: needed(path), verbatim: flag, ...common } satisfies Known<ArchiveLayer>,
  entries: { entries: needed(list(entry)), ...common } satisfies Known<EntriesLayer>,
  upper: { upper: needed(path), ...treeReading, ...common } satisfies Known<UpperLayer>,
  directory: {
    directory: needed(path),
    before: either(oneOf('image'), object({ manifest: needed(path) }), object({ directory: needed(path) })),
    keepDirlinks: flag,
    mask: list(text),
    ...treeReading,
    ...common,
  } satisfies Known<DifferenceLayer>,
}

/** One of the `layers` of a build. */
export const layer: Check = {
  takes: 'an object with entries, archive, upper or directory',
  issues(value, where) {
    const known = isObject(value) ? marked(value, kinds) : undefined
    if (!known) return such(this.takes, () => false).issues(value, where)
    return object(known).issues(value, where)
  },
}

/**
 * Selects by the first key that only one kind has; a key with the value undefined is an unset variable of the caller.
 */
function marked<T>(value: object, by: Readonly<Record<string, T>>): T | undefined {
  const name = Object.keys(by).find((mark) => mark in value)
  return name === undefined ? undefined : by[name]
}
