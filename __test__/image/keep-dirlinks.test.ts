/** `keepDirlinks`: a directory of a layer onto a link to a directory, as umoci's `--keep-dirlinks` has it. */
import { spawnSync } from 'node:child_process'
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Image, Store } from '../../ts/image/index.ts'
import { needs } from '../fixtures/needs.ts'
import { readTree, treeDifferences, type Tree } from '../fixtures/tree.ts'
import { storeRoot } from '../store/images.ts'
import { scratch, tar, writeLayout, type TestEntry } from './fixture.ts'

const file = (name: string): TestEntry => ({ name, content: name })
const link = (name: string, target: string): TestEntry => ({ name, type: '2', link: target, mode: 0o777 })
const hidden = (name: string): TestEntry => ({ name, content: '' })

/** Links to directories: near, far, over others, in a circle, to nothing, to a file. */
const below: TestEntry[] = [
  { name: 'dir/', mode: 0o710, mtime: 77 },
  file('dir/a'),
  link('link', 'dir'),
  link('link2', 'link'),
  link('absolute', '/dir'),
  link('climbing', '../../dir'),
  link('loop1', 'loop2'),
  link('loop2', 'loop3'),
  link('loop3', 'link2/loop4'),
  link('dir/loop4', '../loop1'),
  link('dead', 'nowhere'),
  link('tofile', 'dir/a'),
  { name: 'usr/' },
  { name: 'usr/lib/' },
  file('usr/lib/old'),
  link('lib', 'usr/lib'),
]
const above: TestEntry[] = [
  { name: 'link/', mode: 0o777 },
  file('link/b'),
  { name: 'link2/' },
  file('link2/c'),
  { name: 'absolute/' },
  file('absolute/d'),
  { name: 'climbing/' },
  file('climbing/e'),
  { name: 'loop1/' },
  file('loop1/broken'),
  { name: 'dead/' },
  file('dead/x'),
  { name: 'tofile/' },
  file('tofile/x'),
  { name: 'lib/' },
  hidden('lib/.wh.old'),
  file('lib/new'),
  { name: 'lib/hard', type: '1', link: 'lib/new' },
]

function layout(t: ExecutionContext, ...layers: TestEntry[][]): string {
  const base = scratch(t)
  writeLayout(
    join(base, 'images'),
    layers.map((layer) => tar(layer)),
  )
  return base
}

test('the link stays, the directory is as it was, and the files go where the link leads', async (t) => {
  const base = layout(t, below, above)
  const image = await Image.open(`oci:${base}/images:test`)
  const { rootfs } = await image.unpackRootfs(join(base, 'kept'), { keepDirlinks: true })
  const at = (name: string): string => join(rootfs, name)
  t.deepEqual(readdirSync(at('dir')).sort(), ['a', 'b', 'c', 'd', 'e', 'loop4'])
  for (const name of ['link', 'link2', 'absolute', 'climbing', 'lib', 'loop2', 'loop3'])
    t.true(lstatSync(at(name)).isSymbolicLink(), name)
  const { mode, mtimeMs } = statSync(at('dir'))
  t.deepEqual([mode & 0o7777, mtimeMs], [0o710, 77_000])
  // A link that does not lead to a directory is replaced.
  for (const name of ['loop1', 'dead', 'tofile']) t.true(lstatSync(at(name)).isDirectory(), name)
  t.is(readFileSync(at('dir/a'), 'utf8'), 'dir/a')
  t.deepEqual(readdirSync(at('usr/lib')).sort(), ['hard', 'new'])
  t.is(statSync(at('usr/lib/hard')).ino, statSync(at('lib/new')).ino)
})

test('without the option the directory replaces the link', async (t) => {
  const base = layout(t, below, above)
  const { rootfs } = await (await Image.open(`oci:${base}/images:test`)).unpackRootfs(join(base, 'rootfs'))
  t.deepEqual(readdirSync(join(rootfs, 'dir')).sort(), ['a', 'loop4'])
  t.true(lstatSync(join(rootfs, 'link')).isDirectory())
})

test('a link of the same layer is kept, too, and no whiteout of that layer takes it away', async (t) => {
  const both = [{ name: 'd/' }, link('l', 'd'), { name: 'l/' }, file('l/x')]
  const base = layout(
    t,
    [{ name: 'd/' }, link('l', 'd')],
    [{ name: 'l/' }, file('l/y'), hidden('.wh.l')],
    both,
  )
  const image = await Image.open(`oci:${base}/images:test`)
  const { rootfs } = await image.unpackRootfs(join(base, 'rootfs'), { keepDirlinks: true })
  t.is(readlinkSync(join(rootfs, 'l')), 'd')
  t.deepEqual(readdirSync(join(rootfs, 'd')).sort(), ['x', 'y'])
})

needs(
  'root',
  'umoci',
  'python3',
)('umoci --keep-dirlinks makes the same tree', (t) => {
  const base = layout(t, below, above)
  const run = (program: string, ...args: string[]): void => {
    const { status, stderr } = spawnSync(program, args, { cwd: base, encoding: 'utf8' })
    t.is(status, 0, stderr)
  }
  run('umoci', 'raw', 'unpack', '--image', 'images:test', '--keep-dirlinks', 'theirs')
  run(
    process.execPath,
    join(import.meta.dirname, '../../dist/cli.js'),
    'image',
    'unpack',
    '--image',
    'images:test',
    '--keep-dirlinks',
    '--rootfs-only',
    'ours',
  )
  const seen = (name: string): Tree => readTree(join(base, name), { withoutTime: ['.'] })
  const differences = treeDifferences(seen('ours'), seen('theirs'))
  t.deepEqual(differences, [])
})

test('an unchanged tree unpacked that way makes no layer', async (t) => {
  const base = layout(t, below, above)
  const from = `oci:${base}/images:test`
  await (await Image.open(from)).unpack(join(base, 'bundle'), { keepDirlinks: true })
  const directory = join(base, 'bundle/rootfs')
  const build = (keepDirlinks: boolean): Promise<{ layers: readonly { changes: readonly unknown[] }[] }> =>
    Image.buildWithResult({ from, layout: join(base, 'images'), layers: [{ directory, keepDirlinks }] })
  t.deepEqual((await build(true)).layers[0]!.changes, [])
  t.true((await build(false)).layers[0]!.changes.length > 0)
  await t.throwsAsync(
    Image.build({
      from,
      layout: join(base, 'images'),
      layers: [{ directory, keepDirlinks: true, before: { directory } }],
    }),
    { code: 'ERR_INVALID_OPTION' } as never,
  )
})

test('a store unpacks layers one by one, and refuses', async (t) => {
  const base = layout(t, below, above)
  const store = new Store({ root: storeRoot(), durability: 'none' })
  const image = await Image.open(`oci:${base}/images:test`)
  await t.throwsAsync(store.prepare(image, { keepDirlinks: true } as object), {
    code: 'ERR_INVALID_OPTION',
    message: /keepDirlinks/,
  } as never)
  t.false(existsSync(join(store.root, 'snapshots')) && readdirSync(join(store.root, 'snapshots')).length > 0)
})
