/** Limits of an image in everything that reads one: by default, lowered, raised. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import test from 'ava'
import { copyImage, Image, Layout, Store, type CaissonError, type ImageLimits } from '../../ts/index.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { storeRoot } from '../store/images.ts'
import { tar } from './fixture.ts'

const base = scratch('limits')
const images = join(base, 'images')
const archive = join(base, 'root.tar')
const small = tar([{ name: 'a', content: 'a'.repeat(2000) }, { name: 'd/' }, { name: 'd/b', content: 'b' }])
writeFileSync(archive, small)
await Image.build({ layout: images, tag: 'a', layers: [{ archive }] })
const other = await Image.build({
  layout: images,
  tag: 'b',
  layers: [{ entries: [{ path: '/c', content: 'c' }] }],
})

const read = async (stream: Readable): Promise<void> => {
  for await (const _ of stream);
}

/** Everything that reads layers. `target`: a path that is not there. */
const readers: Readonly<Record<string, (image: Image, target: string) => Promise<unknown>>> = {
  unpack: (image, target) => image.unpack(target, { args: ['sh'] }),
  unpackRootfs: (image, target) => image.unpackRootfs(target),
  squash: (image, layout) => image.squash({ layout }),
  convert: (image, layout) => image.convert({ layout, compression: 'zstd' }),
  diff: (image) => image.diff(other),
  exportRootfs: (image) => read(image.exportRootfs()),
  readFile: (image) => read(image.readFile('/a')),
  'a difference': (from, layout) => Image.build({ from, layout, layers: [{ directory: images }] }),
  prepare: async (image) =>
    (await new Store({ root: storeRoot(), durability: 'none' }).prepare(image)).close(),
  import: (image) => new Store({ root: storeRoot(), durability: 'none' }).import(image),
}

for (const [name, reader] of Object.entries(readers)) {
  test(`${name}: the limits that an image was opened with hold`, async (t) => {
    const target = join(base, name)
    const image = await Image.open(`oci:${images}:a`, { limits: { entries: 1 } })
    const error = (await t.throwsAsync(reader(image, target))) as CaissonError
    t.is(error.code, 'ERR_LIMIT_EXCEEDED')
    t.regex(error.hint!, /option limits\.entries, --limit entries=N/)
    const left = existsSync(target) ? readdirSync(target, { recursive: true, encoding: 'utf8' }) : []
    t.deepEqual(
      left.filter((path) => /blobs\/sha256\/\.|rootfs|^a$/.test(path)),
      [],
    )
    await t.notThrowsAsync(reader(await Image.open(`oci:${images}:a`, { limits: { entries: 1000 } }), target))
  })
}

test('verify lists an exceeded limit as a problem', async (t) => {
  const image = await Image.open(`oci:${images}:a`, { limits: { entries: 1 } })
  t.deepEqual(
    (await image.verify()).problems.map(({ code }) => code),
    ['ERR_LIMIT_EXCEEDED'],
  )
})

test('what is made of an image has its limits, and a call may say others', async (t) => {
  const limits = { bytes: 1000 }
  const image = await Image.open(`oci:${images}:a`, { limits })
  const made = await Image.build({ from: image, layout: images, config: { author: 'me' } })
  t.deepEqual(made.limits, limits)
  const code = { code: 'ERR_LIMIT_EXCEEDED' } as never
  await t.throwsAsync(made.unpackRootfs(join(base, 'made')), code)
  await made.unpackRootfs(join(base, 'made'), { limits: { bytes: 5000 } })
})

test('raised limits accept what the defaults refuse', async (t) => {
  const path = join(base, 'deep.tar')
  writeFileSync(path, tar([{ name: 'x', pax: { path: 'd/'.repeat(600) } }]))
  const layout = join(base, 'deep')
  const image = await Image.build({ layout, tag: 'a', layers: [{ archive: path }] })
  const error = (await t.throwsAsync(image.unpackRootfs(join(base, 'deep-root')))) as CaissonError
  t.is(error.code, 'ERR_LIMIT_EXCEEDED')
  t.regex(error.hint!, /limits\.depth, --limit depth=N/)
  const raised = await Image.open(`oci:${layout}:a`, { limits: { depth: 1000 } })
  t.is((await raised.unpackRootfs(join(base, 'deep-root'))).entries, 1)
})

test('archives are read within limits: of images, of root file systems, of layers', async (t) => {
  const code = { code: 'ERR_LIMIT_EXCEEDED' } as never
  const limits: ImageLimits = { entries: 1 }
  const file = join(base, 'images.tar')
  await copyImage(`oci:${images}:a`, { to: `oci-archive:${file}:a` })
  await t.throwsAsync(Image.open(`oci-archive:${file}:a`, { limits }), code)
  await t.throwsAsync(copyImage(`oci-archive:${file}:a`, { layout: join(base, 'copy'), limits }), code)
  t.false(existsSync(join(base, 'copy')))
  await using image = await Image.open(`tar:${archive}`, { limits })
  await t.throwsAsync(image.unpackRootfs(join(base, 'tar')), code)
  const layout = join(base, 'built')
  await t.throwsAsync(Image.build({ layout, limits, layers: [{ archive }] }), code)
  t.deepEqual(readdirSync(join(layout, 'blobs/sha256')), [])
  await t.throwsAsync(
    Image.build({ layout, limits, layers: [{ entries: [{ path: '/', source: images }] }] }),
    code,
  )
  t.deepEqual(await (await Layout.open(layout)).tags(), [])
})
