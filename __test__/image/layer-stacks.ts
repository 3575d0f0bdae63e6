/**
 * Generated stacks of layers: few names, so that layers collide, and every kind of entry.
 */
import type { Arbitrary } from 'fast-check'
import fc from '../fixtures/property.ts'
import type { TestEntry } from './fixture.ts'

type Kind = 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'whiteout' | 'opaque' | 'root'

interface Line {
  kind: Kind
  path: string
  target: string
  /** How the archive writes the path. */
  prefix: string
  mode: number
  uid: number
  gid: number
  mtime: string
  text: string
  xattrs: Record<string, string>
}

const name = fc.constantFrom('a', 'a', 'b', 'b', 'x', 'é', '.a b', 'n'.repeat(101))
const path = fc
  .tuple(fc.constantFrom('a', 'a', 'b', 'l', 'm'), fc.array(name, { maxLength: 2 }))
  .map(([first, rest]) => [first, ...rest].join('/'))
const target = fc.oneof(
  path,
  path.map((path) => `/${path}`),
  path.map((path) => `../${path}/`),
  fc.constantFrom('.', '..', '/', '../..', 'nowhere/x', 'l', '/m', '../../../..//a'),
)
const line = fc.record<Line>({
  kind: fc.constantFrom<Kind>(
    ...(['file', 'file', 'file', 'directory', 'directory', 'symlink', 'symlink', 'hardlink'] as const),
    ...(['fifo', 'whiteout', 'whiteout', 'opaque', 'root'] as const),
  ),
  path,
  target,
  prefix: fc.constantFrom('', '', './', '/', './/'),
  mode: fc.constantFrom(0o644, 0o755, 0, 0o4755, 0o1777, 0o500),
  uid: fc.constantFrom(0, 0, 33, 70_000),
  gid: fc.constantFrom(0, 0, 44),
  mtime: fc.constantFrom('0', '1000000000', '1234567890.5', '4102444800', '-5'),
  text: fc.constantFrom('', 'one', 'two', 'three'),
  xattrs: fc.constantFrom<Record<string, string>>(
    {},
    {},
    {},
    { 'user.a': 'value' },
    { 'user.a': 'other', 'trusted.overlay.opaque': 'y', 'user.overlay.opaque': 'y' },
  ),
})

const types: Partial<Record<Kind, string>> = {
  directory: '5',
  root: '5',
  symlink: '2',
  hardlink: '1',
  fifo: '6',
}

function entry(line: Line): TestEntry {
  const { kind, prefix, mode, uid, gid } = line
  const at = line.path.lastIndexOf('/') + 1
  const path = {
    whiteout: `${line.path.slice(0, at)}.wh.${line.path.slice(at)}`,
    opaque: `${line.path}/.wh..wh..opq`,
    root: '.',
  }[kind as 'root']
  const name = `${prefix}${path ?? line.path}${kind === 'directory' ? '/' : ''}`
  const isMarker = kind === 'whiteout' || kind === 'opaque'
  const carries = kind === 'file' || kind === 'directory' || kind === 'root'
  const pax: Record<string, string> = { mtime: line.mtime }
  if (Buffer.byteLength(name) > 100) pax['path'] = name
  if (kind === 'hardlink' || kind === 'symlink') pax['linkpath'] = line.target
  if (carries) {
    for (const [key, value] of Object.entries(line.xattrs)) pax[`SCHILY.xattr.${key}`] = value
  }
  return {
    name: name.slice(0, 100),
    type: types[kind] ?? '0',
    ...(kind === 'file' ? { content: line.text } : {}),
    ...(isMarker ? {} : { mode, uid, gid }),
    pax,
  }
}

const isMarker = ({ kind }: Line): boolean => kind === 'whiteout' || kind === 'opaque'
const isWithin = (path: string, top: string): boolean => path.startsWith(`${top}/`)
const rank = (line: Line): number => (isMarker(line) ? 0 : line.kind === 'hardlink' ? 2 : 1)

/**
 * A layer as honest tools write it: removals first, parents before children, hard links last; no name twice, and
 * nothing below a path that the same layer makes anything but a directory.
 */
function honest(lines: Line[]): Line[] {
  const names = new Set<string>()
  const once = lines.filter((line) => {
    const key = isMarker(line) ? `${line.kind} ${line.path}` : line.kind === 'root' ? '' : line.path
    return !names.has(key) && names.add(key)
  })
  const others = once.filter((line) => !isMarker(line) && line.kind !== 'root')
  const isBlocked = (path: string): boolean =>
    others.some(({ kind, path: top }) => kind !== 'directory' && isWithin(path, top))
  const kept = once.filter(({ kind, path, target }) => {
    if (kind === 'root') return true
    if (isBlocked(path)) return false
    const isTangled =
      path === target ||
      isWithin(path, target) ||
      isWithin(target, path) ||
      isBlocked(target) ||
      others.some((other) => other.kind !== 'file' && (other.path === target || isWithin(other.path, target)))
    return kind !== 'hardlink' || !isTangled
  })
  return kept.sort((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1))
}

/**
 * Two to four layers, bottom first. Some cannot be unpacked: hard links to nothing or to directories, links in a
 * circle.
 */
export const stacks: Arbitrary<TestEntry[][]> = fc.array(
  fc.array(line, { minLength: 1, maxLength: 9 }).map((lines) => honest(lines).map(entry)),
  { minLength: 2, maxLength: 4 },
)
