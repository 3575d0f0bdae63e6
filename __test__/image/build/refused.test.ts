/** Invalid input is refused by name, before anything is written, removed or made. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  copyImage,
  Image,
  Layout,
  removeUnpacked,
  snapshot,
  type LayerEntry,
  type LayerOptions,
} from '../../../ts/image/index.ts'
import { scratch } from '../../fixtures/rootfs.ts'

const code = (name: string): never => ({ code: name }) as never
const wrong = (value: unknown): never => value as never

test('an empty path is never the working directory', async (t) => {
  const layout = scratch('refused')
  const build = (layer: LayerOptions): Promise<Image> => Image.build({ layout, layers: [layer] })
  const image = await Image.build({ layout, tag: 'a' })
  for (const path of ['', wrong(undefined), wrong(null), wrong(7), wrong(7n), 'a\0b']) {
    for (const refused of [
      () => Layout.open(path),
      () => Layout.create(path),
      () => removeUnpacked(path),
      () => image.unpack(path),
      () => image.unpackRootfs(path),
      () => snapshot(path, join(layout, 'manifest')),
      () => snapshot(layout, path),
      () => build({ entries: [{ path: '/', source: path }] }),
      () => build({ entries: [{ path: '/a', content: { file: path } }] }),
      () => build({ archive: path }),
      () => build({ directory: path }),
      () => build({ directory: layout, before: { directory: path } }),
      () => build({ directory: layout, before: { manifest: path } }),
      () => build({ upper: path }),
    ]) {
      await t.throwsAsync(refused(), code('ERR_INVALID_OPTION'), `${String(refused)}: ${String(path)}`)
    }
  }
})

test('numbers that would be truncated and impossible links and attributes are refused', async (t) => {
  const layout = join(scratch('refused'), 'layout')
  const entries = (entry: LayerEntry): LayerOptions => ({ entries: [entry] })
  const range = (part: object): LayerOptions =>
    entries({ path: '/', source: '/usr/include', uidMap: [{ container: 0, host: 0, size: 1, ...part }] })
  for (const layer of [
    entries({ path: '/a', type: 'char', major: 1.5, minor: 0 }),
    entries({ path: '/a', type: 'block', major: 0, minor: 2 ** 53 }),
    entries({ path: '/a', type: 'char', major: Number.NaN, minor: -1 }),
    range({ container: 1.5 }),
    range({ host: 2 ** 32 }),
    range({ size: Number.NaN }),
  ]) {
    await t.throwsAsync(Image.build({ layout, layers: [layer] }), code('ERR_INVALID_OPTION'))
  }
  for (const entry of [
    { path: '/a', type: 'symlink', target: 'x\0y' },
    { path: '/a', type: 'symlink', target: wrong(7) },
    { path: '/a', type: 'hardlink', target: '' },
    { path: '/a', content: '', xattrs: { '': 'x' } },
    { path: '/a', content: '', xattrs: { 'user.\0': 'x' } },
    { path: '/a', content: '', xattrs: { 'user.a': wrong(7) } },
  ] as LayerEntry[]) {
    await t.throwsAsync(Image.build({ layout, layers: [entries(entry)] }), code('ERR_INVALID_OPTION'))
  }
  for (const sourceDateEpoch of [253_402_300_800, -1, Number.NaN]) {
    await t.throwsAsync(Image.build({ layout, sourceDateEpoch }), code('ERR_INVALID_OPTION'))
  }
  const last = await Image.build({ layout, sourceDateEpoch: 253_402_300_799 })
  t.is(last.config?.created, '9999-12-31T23:59:59Z')
})

test('a level for uncompressed layers is refused', async (t) => {
  const layout = scratch('refused')
  const image = await Image.build({ layout, layers: [{ entries: [{ path: '/a', content: 'a' }] }] })
  const none = { layout, compression: 'none', level: 3 } as const
  await t.throwsAsync(Image.build(none), code('ERR_INVALID_OPTION'))
  await t.throwsAsync(image.convert(none), code('ERR_INVALID_OPTION'))
  await t.throwsAsync(image.convert({ layout, level: 3 }), code('ERR_INVALID_OPTION'))
  t.truthy(await image.convert({ layout, compression: 'gzip', level: 3 }))
})

test('history has valid times only', async (t) => {
  const layout = join(scratch('refused'), 'layout')
  for (const history of [
    { created: '2026-02-31T00:00:00Z' },
    { created: 'yesterday' },
    { created: wrong(7) },
    { author: wrong({}) },
  ]) {
    const layers = [{ entries: [{ path: '/a', content: 'a' }], history }]
    await t.throwsAsync(Image.build({ layout, layers }), code('ERR_INVALID_OPTION'))
    await t.throwsAsync(Image.build({ layout, history }), code('ERR_INVALID_OPTION'))
  }
  t.false(existsSync(layout))
})

test('an invalid index is not written', async (t) => {
  const path = scratch('refused')
  const { descriptor } = await Image.build({ layout: path, tag: 'a' })
  const layout = await Layout.open(path)
  const before = readFileSync(join(path, 'index.json'), 'utf8')
  for (const tag of ['', 'a b', '../a', wrong(7)])
    await t.throwsAsync(layout.tag(descriptor, tag), code('ERR_INVALID_OPTION'))
  await t.throwsAsync(layout.tag({ ...descriptor, size: -1 }, 'b'), code('ERR_INVALID_IMAGE'))
  await t.throwsAsync(layout.untag(wrong(undefined)), code('ERR_IMAGE_NOT_FOUND'))
  t.is(readFileSync(join(path, 'index.json'), 'utf8'), before)
})

test('the files of a layout are regular files', async (t) => {
  const path = scratch('refused')
  await Image.build({ layout: path, tag: 'a' })
  for (const name of ['index.json', 'oci-layout']) {
    const text = readFileSync(join(path, name))
    rmSync(join(path, name))
    execFileSync('mkfifo', [join(path, name)])
    await t.throwsAsync(Image.open(`oci:${path}:a`), code('ERR_INVALID_IMAGE'))
    rmSync(join(path, name))
    mkdirSync(join(path, name))
    await t.throwsAsync(Image.open(`oci:${path}:a`), code('ERR_INVALID_IMAGE'))
    rmSync(join(path, name), { recursive: true })
    writeFileSync(join(path, name), text)
  }
  t.truthy(await Image.open(`oci:${path}:a`))
})

test('a file that cannot be made is named in the error', async (t) => {
  const base = scratch('refused')
  writeFileSync(join(base, 'file'), '')
  const image = await Image.build({ layout: join(base, 'layout'), tag: 'a' })
  for (const path of ['/proc/nothing/here', join(base, 'file'), join(base, 'file/below')]) {
    for (const refused of [
      () => Layout.create(path),
      () => image.unpack(path, { args: ['sh'] }),
      () => copyImage(`oci:${base}/layout:a`, { layout: path }),
    ]) {
      const error = await t.throwsAsync(refused(), code('ERR_SYSCALL'))
      t.regex(error!.message, /^cannot make \//)
    }
  }
  t.deepEqual(readdirSync(base).sort(), ['file', 'layout'])
})

test('what a progress callback throws ends the operation, not the process', async (t) => {
  const base = scratch('refused')
  const zeros = (async function* () {
    for (let piece = 0; piece < 64; piece++) yield Buffer.alloc(1 << 20)
  })()
  const reason = new Error('enough')
  const onProgress = (): void => {
    throw reason
  }
  const layers = [{ entries: [{ path: '/zeros', content: zeros }] }]
  const error = await t.throwsAsync(Image.build({ layout: base, layers, level: 9, threads: 1, onProgress }))
  t.is(error, reason)
  t.deepEqual(readdirSync(join(base, 'blobs/sha256')), [])
})
