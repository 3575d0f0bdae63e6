/**
 * Images and archives that cost more than they should, text that a terminal would obey, directories that others can
 * change. Where a limit fails here, the test does not end.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { CaissonError } from '../../ts/errors.ts'
import { Image, Layout } from '../../ts/image/index.ts'
import { Store } from '../../ts/image/store/store.ts'
import { visible } from '../../ts/visible.ts'
import { needs } from '../fixtures/needs.ts'
import { COMMAND } from '../cli/session.ts'
import { rawEntry, scratch, tar, writeLayout, type TestEntry } from '../image/fixture.ts'

/** Control sequences that a terminal obeys. */
const obeyed = /(?![\n\t])[\p{Cc}\u202e]/u
const limit = { code: 'ERR_LIMIT_EXCEEDED' } as never
const archive = tar([{ name: 'f', content: 'x' }])

test('a configuration of 100 MiB in a docker archive is refused unread', async (t) => {
  const path = join(scratch(t), 'archive.tar')
  const images = JSON.stringify([{ Config: 'config.json', RepoTags: null, Layers: [] }])
  const size = 100 << 20
  const file = openSync(path, 'w')
  const head = Buffer.concat([
    rawEntry({ name: 'manifest.json', content: images }),
    rawEntry({ name: 'config.json', size }),
  ])
  writeSync(file, head)
  ftruncateSync(file, head.length + size + 1024)
  await t.throwsAsync(Image.open(`docker-archive:${path}`), limit)
})

test('documents beside the image are not read beyond the limit either', async (t) => {
  const base = scratch(t)
  const path = join(base, 'layout')
  writeLayout(path, [archive])
  ftruncateSync(openSync(join(path, 'index.json'), 'r+'), 100 << 20)
  await t.throwsAsync(Image.open(`oci:${path}:test`), limit)
  const fifo = join(base, 'fifo')
  writeLayout(fifo, [archive])
  renameSync(join(fifo, 'index.json'), join(fifo, 'saved'))
  spawnSync('mkfifo', [join(fifo, 'index.json')])
  await t.throwsAsync(Image.open(`oci:${fifo}:test`), { code: 'ERR_INVALID_IMAGE' } as never)
})

const many = (count: number, name: (index: number) => TestEntry): TestEntry[] =>
  Array.from({ length: count }, (_, index) => name(index))
const files = tar([{ name: 'd/' }, ...many(10_000, (index) => ({ name: `d/${index}` }))])

for (const [title, markers] of [
  ['opaque', many(20_000, () => ({ name: 'd/.wh..wh..opq' }))],
  ['the same', many(20_000, () => ({ name: '.wh.d' }))],
  ['different', many(20_000, (index) => ({ name: `d/.wh.${index}` }))],
] as const) {
  test(`20,000 ${title} whiteouts over 10,000 files are applied once each`, async (t) => {
    const base = scratch(t)
    // Every whiteout also checks the layer's own entries.
    const own = many(10_000, (index) => ({ name: `d/own-${index}` }))
    writeLayout(join(base, 'images'), [files, tar([...own, ...markers])])
    const image = await Image.open(`oci:${base}/images:test`)
    const { rootfs } = await image.unpackRootfs(join(base, 'rootfs'))
    t.is(readdirSync(join(rootfs, 'd')).length, 10_000)
    const store = new Store({ root: join(base, 'store'), durability: 'none' })
    using snapshot = await store.prepare(image)
    t.is(snapshot.layers.length, 2)
    let size = 0
    for await (const piece of image.exportRootfs()) size += (piece as Buffer).length
    t.true(size > 0)
  })
}

test('an abort is heard while whiteouts are applied', async (t) => {
  const base = scratch(t)
  // Expensive work within all limits: each hides another directory of the layer below.
  const below = tar(many(3000, (index) => ({ name: `d${index}/a/b/c/d/e/f` })))
  writeLayout(join(base, 'images'), [below, tar(many(3000, (index) => ({ name: `.wh.d${index}` })))])
  const image = await Image.open(`oci:${base}/images:test`)
  const store = new Store({ root: join(base, 'store'), durability: 'none' })
  const stop = new AbortController()
  const reason = new Error('enough')
  let calls = 0
  const onProgress = (): void => {
    calls += 1
    stop.abort(reason)
  }
  const error = await t.throwsAsync(store.prepare(image, { signal: stop.signal, onProgress }))
  t.is(error, reason)
  t.true(calls > 0)
  t.deepEqual(readdirSync(join(base, 'store/ingest')), [])
})

test('volumes and layers have limits', async (t) => {
  const base = scratch(t)
  const Volumes = Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`/v${index}`, {}]))
  writeLayout(join(base, 'volumes'), [archive], { config: { config: { Cmd: ['/x'], Volumes } } })
  const image = await Image.open(`oci:${base}/volumes:test`)
  await t.throwsAsync(image.unpack(join(base, 'bundle')), limit)
  t.false(existsSync(join(base, 'bundle')))
  writeLayout(
    join(base, 'layers'),
    Array.from({ length: 1001 }, () => archive),
  )
  const layers = await Image.open(`oci:${base}/layers:test`)
  await t.throwsAsync(layers.unpackRootfs(join(base, 'rootfs')), limit)
  await t.throwsAsync(new Store({ root: join(base, 'store') }).prepare(layers), limit)
})

test('control characters are escaped in errors and on the terminal', async (t) => {
  const evil = '\u001b]0;owned\u0007\u009b31m\u202e'
  t.is(visible(`a\n\t${evil}é`), 'a\n\t\\u001b]0;owned\\u0007\\u009b31m\\u202eé')
  t.is(JSON.parse(visible(JSON.stringify({ evil }))).evil, evil)
  t.notRegex(new CaissonError('ERR_NOT_FOUND', `no ${evil}`, { hint: evil }).message, /\p{Cc}/u)
  const base = scratch(t)
  writeLayout(join(base, 'images'), [archive], { tag: `a${evil}` })
  for (const args of [
    ['image', 'ls', '--layout', join(base, 'images')],
    ['image', 'ls', '--json', '--layout', join(base, 'images')],
    ['image', 'inspect', '--image', `${join(base, 'images')}:x${evil}`],
    ['validate', join(base, 'images')],
    ['validate', join(base, evil)],
    ['digest', join(base, evil)],
  ]) {
    const { stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8' })
    t.true(`${stdout}${stderr}`.length > 0, args.join(' '))
    t.notRegex(`${stdout}${stderr}`, obeyed, args.join(' '))
  }
})

test('a bundle that is exchanged while it is unpacked takes nothing else with it', async (t) => {
  const base = scratch(t)
  writeLayout(join(base, 'images'), [archive], { config: { config: { Cmd: ['/f'], User: 'nosuch' } } })
  const victim = join(base, 'victim')
  mkdirSync(join(victim, 'rootfs'), { recursive: true })
  writeFileSync(join(victim, 'rootfs/canary'), 'canary')
  writeFileSync(join(victim, 'config.json'), 'canary')
  const bundle = join(base, 'bundle')
  const onProgress = (): void => {
    if (!existsSync(join(bundle, 'rootfs')) || existsSync(join(base, 'away'))) return
    renameSync(bundle, join(base, 'away'))
    symlinkSync(victim, bundle)
  }
  const image = await Image.open(`oci:${base}/images:test`)
  const error = await t.throwsAsync(image.unpack(bundle, { onProgress }))
  t.notRegex(error!.message, /\/proc\/self/)
  t.true(existsSync(join(base, 'away')), 'it was exchanged')
  t.is(readFileSync(join(victim, 'rootfs/canary'), 'utf8'), 'canary')
  t.is(readFileSync(join(victim, 'config.json'), 'utf8'), 'canary')
  t.deepEqual(readdirSync(join(base, 'away')), [])
})

const privileged = tar([{ name: 'su', content: 'x', mode: 0o4755 }])

test('set-user-id programs are out of reach of other users, or reported', async (t) => {
  const base = scratch(t)
  writeLayout(join(base, 'images'), [privileged])
  const image = await Image.open(`oci:${base}/images:test`)
  const bundle = join(base, 'bundle')
  mkdirSync(bundle)
  chmodSync(bundle, 0o755)
  const { warnings } = await image.unpack(bundle)
  t.is(statSync(bundle).mode & 0o777, 0o700)
  t.regex(warnings.join(), /now has mode 0700/)
  t.deepEqual((await image.unpack(join(base, 'fresh'))).warnings, [])
  // Other users cannot reach a scratch directory; one that is open to all is reported.
  t.deepEqual((await image.unpackRootfs(join(base, 'closed'))).warnings, [])
  chmodSync(base, 0o755)
  t.regex((await image.unpackRootfs(join(base, 'open'))).warnings.join(), /1 set-user-id/)
})

test('after a failure a directory has the mode it had', async (t) => {
  const base = scratch(t)
  writeLayout(join(base, 'images'), [privileged], { config: { config: { Cmd: ['/f'], User: 'nosuch' } } })
  const bundle = join(base, 'bundle')
  mkdirSync(bundle)
  chmodSync(bundle, 0o755)
  await t.throwsAsync((await Image.open(`oci:${base}/images:test`)).unpack(bundle))
  t.is(statSync(bundle).mode & 0o777, 0o755)
  t.deepEqual(readdirSync(bundle), [])
})

needs('root')('root makes no bundle in the open directory of another user', async (t) => {
  const base = scratch(t)
  writeLayout(join(base, 'images'), [privileged])
  const bundle = join(base, 'bundle')
  mkdirSync(bundle)
  chmodSync(bundle, 0o755)
  chownSync(bundle, 65534, 65534)
  const image = await Image.open(`oci:${base}/images:test`)
  await t.throwsAsync(image.unpack(bundle), { code: 'ERR_UNSAFE_PATH' } as never)
  t.deepEqual(readdirSync(bundle), [])
})

test('a layout may be opened again after all of this', async (t) => {
  const base = scratch(t)
  writeLayout(join(base, 'images'), [archive])
  t.deepEqual(await (await Layout.open(join(base, 'images'))).tags(), ['test'])
})

test('links of a layer below that are directories of the next one are followed once each', async (t) => {
  const base = scratch(t)
  const links = many(1000, (index) => ({ name: `l${index}`, type: '2', link: 't' }))
  const through = many(1000, (index) => ({ name: `l${index}/d${index}/` }))
  writeLayout(join(base, 'images'), [tar([{ name: 't/' }, ...links]), tar(through)])
  const image = await Image.open(`oci:${base}/images:test`)
  const store = new Store({ root: join(base, 'store'), durability: 'none' })
  using snapshot = await store.prepare(image)
  t.is(snapshot.layers.length, 2)
  const { rootfs } = await image.unpackRootfs(join(base, 'rootfs'))
  t.is(readdirSync(join(rootfs, 't')).length, 1000)
  const [top] = snapshot.layers
  t.is(readdirSync(join(top!, 't')).length, 1000)
})
