/** Small images with everything that makes layers hard, and ways to look at a store. */
import { chmodSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { busybox } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { tar, writeLayout, type TestEntry } from '../image/fixture.ts'

const file = (name: string, content: string, more: Partial<TestEntry> = {}): TestEntry => ({
  name,
  content,
  ...more,
})
const hidden = (name: string): TestEntry => ({ name, content: '' })

/** Four layers: whiteouts, an opaque directory, links across layers, directories without an entry, attributes. */
export const layers: TestEntry[][] = [
  [
    { name: './', mode: 0o750, mtime: 7 },
    { name: 'etc/', mode: 0o755 },
    file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/srv:/bin/sh\n'),
    { name: 'usr/', mode: 0o711, mtime: 1_000_000_007 },
    { name: 'usr/lib/', mode: 0o2755, uid: 3, gid: 4 },
    file('usr/lib/a', 'a', { uid: 33, gid: 33, mode: 0o640 }),
    { name: 'lib', type: '2', link: 'usr/lib' },
    { name: 'gone/' },
    file('gone/x', 'x'),
    { name: 'opaque/', mode: 0o700 },
    file('opaque/old', 'old'),
    { name: 'opaque/sub/' },
    file('opaque/sub/old', 'old'),
    file('original', 'original', { mode: 0o4755 }),
  ],
  [
    hidden('.wh.gone'),
    hidden('opaque/.wh..wh..opq'),
    file('opaque/new', 'new'),
    { name: 'opaque/sub/', mode: 0o770 },
    file('usr/lib/b', 'b'),
    { name: 'linked', type: '1', link: 'original' },
  ],
  [file('lib/c', 'c'), file('gone/again', 'again'), hidden('usr/lib/.wh.a')],
  [file('etc/hosts', '127.0.0.1 localhost\n'), { name: 'fifo', type: '6' }],
]

/** Programs, if a static busybox is installed. */
function programs(): TestEntry[] {
  const shell = busybox()
  if (!shell) return []
  const tools = ['sh', 'cat', 'stat', 'ls', 'id', 'touch', 'sleep', 'rm', 'mkdir', 'true']
  return [
    { name: 'bin/', mode: 0o755 },
    { name: 'bin/busybox', content: readFileSync(shell), mode: 0o755 },
    ...tools.map((name) => ({ name: `bin/${name}`, type: '2', link: 'busybox' })),
  ]
}

/** Reference of an image that hides nothing of its lower layer. */
export function plainImage(): string {
  const path = join(scratch('layout'), 'images')
  writeLayout(path, [tar(layers[0]!), tar(programs())])
  return `oci:${path}:test`
}

/** A layout with that image, tagged `test`; with a shell if a static busybox is installed. */
export function makeLayout(extra: TestEntry[][] = []): string {
  const path = join(scratch('layout'), 'images')
  writeLayout(
    path,
    [...layers, programs(), ...extra].filter((layer) => layer.length > 0).map((layer) => tar(layer)),
  )
  return path
}

/** Reference of such an image. */
export function makeImage(extra: TestEntry[][] = []): string {
  return `oci:${makeLayout(extra)}:test`
}

/** A directory for a store, not made yet. */
export function storeRoot(): string {
  const folder = scratch('store')
  chmodSync(folder, 0o755)
  return join(folder, 'store')
}

/** Names in a folder of the store; empty where it is missing. */
export function names(store: string, folder: string): string[] {
  try {
    return readdirSync(join(store, folder))
  } catch {
    return []
  }
}
