import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Image, Store } from '../../ts/index.ts'
import { flattenLayers } from '../../ts/native/store.ts'
import { needs } from '../fixtures/needs.ts'
import { nextLine, program } from '../fixtures/program.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { readTree, treeDifferences } from '../fixtures/tree.ts'
import type { TestEntry } from '../image/fixture.ts'
import { layers, makeImage, makeLayout, names, storeRoot } from './images.ts'

/** Without syncing: most tests are not about power loss. */
const newStore = (): Store => new Store({ root: storeRoot(), durability: 'none' })

const isRoot = process.geteuid?.() === 0

test('layers are unpacked once, and a snapshot in use is shared', async (t) => {
  const store = new Store({ root: storeRoot() })
  const image = await Image.open(makeImage())
  const unpacked: string[] = []
  const onLayer = ({ chainId }: { chainId: string }): void => void unpacked.push(chainId)
  using first = await store.prepare(image, { onLayer })
  using second = await store.prepare(image, { onLayer })
  t.deepEqual(unpacked, [...first.chainIds].reverse())
  t.is(unpacked.length, image.manifest.layers.length)
  t.deepEqual(first.layers, second.layers)
  t.deepEqual(names(store.root, 'ingest'), [])
  const { snapshots } = await store.list()
  t.deepEqual(
    snapshots.filter(({ inUse }) => inUse).map(({ chainId }) => chainId),
    [first.chainId],
  )
  using third = await store.snapshot(first.chainId)
  t.deepEqual(third.chainIds, first.chainIds)
  for (const folder of ['snapshots', 'ingest', 'locks']) {
    t.is(statSync(join(store.root, folder)).mode & 0o777, 0o700, folder)
  }
})

test('layers that another image has already are not unpacked again', async (t) => {
  const store = newStore()
  using one = await store.prepare(await Image.open(makeImage()))
  const unpacked: string[] = []
  const other = await Image.open(makeImage([[{ name: 'more', content: 'more' }]]))
  using two = await store.prepare(other, { onLayer: ({ chainId }) => unpacked.push(chainId) })
  t.deepEqual(two.chainIds.slice(1), one.chainIds)
  t.deepEqual(unpacked, [two.chainId])
})

const python = needs('python3')

python('the layers show what unpacking the image shows', async (t) => {
  const folder = scratch('tree')
  const store = newStore()
  const image = await Image.open(makeImage())
  await image.unpackRootfs(join(folder, 'flat'))
  using snapshot = await store.prepare(image)
  await flattenLayers(snapshot.layers, join(folder, 'merged'))
  const flat = readTree(join(folder, 'flat'))
  t.deepEqual(treeDifferences(flat, readTree(join(folder, 'merged'))), [])
  t.true(flat.has('usr/lib/c') && flat.has('opaque/new') && !flat.has('opaque/old') && !flat.has('gone/x'))
})

needs('root', 'python3')('so does the kernel', async (t) => {
  const folder = scratch('overlay')
  const store = newStore()
  const image = await Image.open(makeImage())
  await image.unpackRootfs(join(folder, 'flat'))
  using snapshot = await store.prepare(image)
  mkdirSync(join(folder, 'merged'))
  const options = `lowerdir=${snapshot.layers.join(':')}`
  const mounted = spawnSync('mount', ['-t', 'overlay', 'overlay', '-o', options, join(folder, 'merged')])
  t.is(mounted.status, 0, mounted.stderr.toString())
  try {
    t.deepEqual(treeDifferences(readTree(join(folder, 'flat')), readTree(join(folder, 'merged'))), [])
  } finally {
    spawnSync('umount', [join(folder, 'merged')])
  }
})

test('twenty processes that want the same image unpack each layer once', async (t) => {
  const store = storeRoot()
  const reference = makeImage()
  const source = `
import { Image, Store } from 'caisson'
const store = new Store({ root: ${JSON.stringify(store)}, durability: 'none' })
const image = await Image.open(${JSON.stringify(reference)})
let unpacked = 0
console.log('ready')
process.stdin.once('data', async () => {
  const snapshot = await store.prepare(image, { onLayer: () => void unpacked++ })
  console.log(unpacked, snapshot.chainId)
  process.exit(0)
})
`
  const programs = Array.from({ length: 20 }, () => program(source))
  for (const running of programs) t.is(await nextLine(running), 'ready')
  for (const { child } of programs) child.stdin?.write('go\n')
  const answers = await Promise.all(programs.map(nextLine))
  const counts = answers.map((line) => Number(line.split(' ')[0]))
  const image = await Image.open(reference)
  t.is(
    counts.reduce((sum, count) => sum + count, 0),
    image.manifest.layers.length,
  )
  t.is(new Set(answers.map((line) => line.split(' ')[1])).size, 1)
  t.true((await new Store({ root: store }).verify()).sound)
})

test('an imported image no longer needs its source', async (t) => {
  const layout = makeLayout()
  const store = newStore()
  await store.import(`oci:${layout}:test`)
  rmSync(layout, { recursive: true })
  const image = await store.open('test')
  t.deepEqual(await image.missing(), [])
  t.is((await store.open(image.digest)).digest, image.digest)
  t.deepEqual((await store.list()).images, [
    { name: 'test', digest: image.digest, mediaType: image.descriptor.mediaType },
  ])
  t.deepEqual((await store.gc()).snapshots, [])
  await store.remove('test')
  await t.throwsAsync(store.remove('test'), { code: 'ERR_IMAGE_NOT_FOUND' })
  const { snapshots, blobs, bytes } = await store.gc()
  t.is(snapshots.length, image.manifest.layers.length)
  t.is(blobs.length, image.manifest.layers.length + 2)
  t.true(bytes > 0)
  t.deepEqual(names(store.root, 'blobs/sha256'), [])
  t.deepEqual(names(store.root, 'snapshots/sha256'), [])
  t.deepEqual(names(store.root, 'locks'), [])
})

test('snapshots in use, and those below them, are not collected', async (t) => {
  const store = newStore()
  const snapshot = await store.prepare(await Image.open(makeImage()))
  const other = await store.prepare(await Image.open(makeImage([[{ name: 'more', content: 'more' }]])))
  other.close()
  t.deepEqual((await store.gc()).snapshots, [other.chainId])
  t.is((await store.list()).snapshots.length, snapshot.chainIds.length)
  snapshot.close()
  t.deepEqual((await store.gc({ unusedFor: 60_000 })).snapshots, [])
  // The top one first: a process that dies in between leaves no snapshot without its parent.
  t.deepEqual((await store.gc()).snapshots, [...snapshot.chainIds])
})

test('damage is found, and repaired from the content', async (t) => {
  const store = newStore()
  const image = await store.import(makeImage())
  using opened = await store.prepare(image)
  const { chainIds, layers } = opened
  opened.close()
  t.true((await store.verify()).sound)
  writeFileSync(join(layers.at(-1)!, 'original'), 'changed!')
  truncateSync(join(layers[1]!, '..', 'snapshot.json'), 3)
  const config = join(store.root, 'blobs/sha256', image.manifest.config.digest.slice(7))
  const health = await store.verify()
  t.false(health.sound)
  t.deepEqual(health.damaged.map(({ id }) => id).sort(), [chainIds.at(-1)!, chainIds[1]!].sort())
  const result = await store.repair()
  t.is(result.removed.length, 2)
  t.deepEqual([...result.restored].sort(), [chainIds.at(-1)!, chainIds[1]!].sort())
  t.deepEqual(result.inUse, [])
  t.true((await store.verify()).sound)
  appendFileSync(config, ' ')
  t.deepEqual(
    (await store.verify()).damaged.map(({ kind, id }) => [kind, id]),
    [['blob', image.manifest.config.digest]],
  )
  await store.repair()
  t.deepEqual((await store.verify()).missing, [image.manifest.config.digest])
})

test('one changed byte in a file is found by its content alone, and repaired', async (t) => {
  const store = newStore()
  const sparse: TestEntry = {
    name: 'sparse',
    content: 'abc',
    pax: {
      'GNU.sparse.major': '0',
      'GNU.sparse.minor': '1',
      'GNU.sparse.name': 'sparse',
      'GNU.sparse.size': '100000',
      'GNU.sparse.numblocks': '1',
      'GNU.sparse.map': '50000,3',
    },
  }
  // A hard link to a file of a lower layer is a copy of it.
  const image = await store.import(makeImage([[sparse, { name: 'copied', type: '1', link: 'usr/lib/c' }]]))
  t.true((await store.verify()).sound)
  using opened = await store.prepare(image)
  const { chainIds, layers } = opened
  opened.close()
  for (const [layer, name] of [
    [0, 'sparse'],
    [0, 'copied'],
    [layers.length - 1, 'original'],
  ] as const) {
    const path = join(layers[layer]!, name)
    const { mtime, size, mode } = statSync(path)
    const bytes = readFileSync(path)
    bytes[size - 1]! ^= 1
    writeFileSync(path, bytes)
    chmodSync(path, mode)
    utimesSync(path, mtime, mtime)
    t.true((await store.verify({ contents: false })).sound, name)
    const { damaged } = await store.verify()
    t.deepEqual(damaged, [
      { kind: 'snapshot', id: chainIds[layer]!, reason: 'the content of a file is not as it was unpacked' },
    ])
    t.deepEqual((await store.repair({ contents: false })).restored, [])
    t.deepEqual((await store.repair()).restored, [chainIds[layer]!])
    t.true((await store.verify()).sound)
    bytes[size - 1]! ^= 1
    t.deepEqual(readFileSync(path), bytes)
  }
})

test('a damaged snapshot that is in use is left alone', async (t) => {
  const store = newStore()
  using snapshot = await store.prepare(await Image.open(makeImage()))
  appendFileSync(join(snapshot.layers[0]!, 'new-file'), 'x')
  const { inUse, removed } = await store.repair()
  t.deepEqual([inUse.map(({ id }) => id), removed], [[snapshot.chainId], []])
})

test('an abort leaves nothing, and the same store works afterwards', async (t) => {
  const store = newStore()
  const image = await Image.open(makeImage())
  const controller = new AbortController()
  const preparing = store.prepare(image, { signal: controller.signal })
  controller.abort(new Error('enough'))
  await t.throwsAsync(preparing, { message: 'enough' })
  t.deepEqual([names(store.root, 'ingest'), names(store.root, 'snapshots/sha256')], [[], []])
  const seen: number[] = []
  using snapshot = await store.prepare(image, { onProgress: ({ entries }) => seen.push(entries) })
  t.is(seen.at(-1), layers.flat().length + (snapshot.chainIds.length > layers.length ? 12 : 0))
})

test('a damaged layer publishes nothing', async (t) => {
  const layout = makeLayout()
  const image = await Image.open(`oci:${layout}:test`)
  const last = image.manifest.layers.at(-1)!
  const blob = join(layout, 'blobs/sha256', last.digest.slice(7))
  truncateSync(blob, last.size - 1)
  const store = newStore()
  await t.throwsAsync(store.prepare(image), { code: 'ERR_SIZE_MISMATCH' })
  t.deepEqual([names(store.root, 'ingest'), names(store.root, 'snapshots/sha256')], [[], []])
  await t.throwsAsync(store.import(image), { code: 'ERR_SIZE_MISMATCH' })
  t.deepEqual(
    names(store.root, 'blobs/sha256').filter((name) => name.startsWith('.')),
    [],
  )
})

test('limits are for the whole image', async (t) => {
  const image = await Image.open(makeImage())
  const store = newStore()
  const entries = layers.flat().length - 1
  await t.throwsAsync(store.prepare(image, { limits: { entries } }), { code: 'ERR_LIMIT_EXCEEDED' })
  t.deepEqual(names(store.root, 'snapshots/sha256'), [])
})

test('invalid options are refused', async (t) => {
  t.throws(() => new Store({ durability: 'maybe' as 'none' }), { code: 'ERR_INVALID_OPTION' })
  t.throws(() => new Store({ workers: 0 }), { code: 'ERR_INVALID_OPTION' })
  const store = newStore()
  await t.throwsAsync(store.import(makeImage(), { name: 'no name' }), { code: 'ERR_INVALID_OPTION' })
  await t.throwsAsync(store.snapshot('sha256:../../x'), { code: 'ERR_INVALID_OPTION' })
  await t.throwsAsync(store.snapshot(`sha256:${'0'.repeat(64)}`), { code: 'ERR_NOT_FOUND' })
  await t.throwsAsync(store.open('nothing'), { code: 'ERR_IMAGE_NOT_FOUND' })
})

test('the directory is that of the option, the variable, or the user', (t) => {
  const { CAISSON_STORE: before, XDG_DATA_HOME: data } = process.env
  try {
    process.env.CAISSON_STORE = '/somewhere'
    t.is(new Store().root, '/somewhere')
    t.is(new Store({ root: '/else' }).root, '/else')
    delete process.env.CAISSON_STORE
    process.env.XDG_DATA_HOME = '/data'
    t.is(new Store().root, isRoot ? '/var/lib/caisson' : '/data/caisson')
  } finally {
    if (before === undefined) delete process.env.CAISSON_STORE
    else process.env.CAISSON_STORE = before
    if (data === undefined) delete process.env.XDG_DATA_HOME
    else process.env.XDG_DATA_HOME = data
  }
})
