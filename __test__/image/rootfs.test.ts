/** `dir:DIRECTORY`: a plain root file system directory as an image of one layer. */
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { CaissonError } from '../../ts/errors.ts'
import { copyImage, Image, Store } from '../../ts/image/index.ts'
import { Runtime } from '../../ts/index.ts'
import { needsAlone } from '../fixtures/needs.ts'
import { makeRootfs } from '../fixtures/rootfs.ts'
import { scratch, unnamed } from './fixture.ts'

function small(t: ExecutionContext): string {
  const base = scratch(t)
  mkdirSync(join(base, 'tree/etc'), { recursive: true })
  writeFileSync(join(base, 'tree/etc/file'), 'content')
  linkSync(join(base, 'tree/etc/file'), join(base, 'tree/hard'))
  symlinkSync('../outside', join(base, 'tree/soft'))
  utimesSync(join(base, 'tree/etc'), 5, 5)
  return base
}

const fails = (t: ExecutionContext, reference: string, code: string, message?: RegExp): Promise<unknown> =>
  t.throwsAsync(Image.open(reference), { code, ...(message ? { message } : {}) } as never)

test.serial(
  'a directory is packed once, to a file without a name, and always to the same image',
  async (t) => {
    const base = small(t)
    const image = await Image.open(`dir:${base}/tree`)
    t.is(unnamed(), 1)
    t.deepEqual(await image.missing(), [])
    t.deepEqual((await image.verify()).problems, [])
    t.is(image.manifest.layers.length, 1)
    t.is(image.config!.rootfs.diff_ids[0], image.manifest.layers[0]!.digest)
    await image.unpackRootfs(join(base, 'out'))
    t.is(readFileSync(join(base, 'out/hard'), 'utf8'), 'content')
    t.is(readlinkSync(join(base, 'out/soft')), '../outside')
    // The source may change; the image does not.
    writeFileSync(join(base, 'tree/etc/new'), 'new')
    t.deepEqual((await image.verify()).problems, [])
    await image.close()
    t.is(unnamed(), 0)
    symlinkSync('out', join(base, 'link'))
    await using through = await Image.open(`dir:${base}/link`)
    t.is(through.digest, image.digest, 'also through a link, and of what was unpacked')
  },
)

test.serial('anything but a root file system directory is refused, and nothing stays open', async (t) => {
  const base = small(t)
  await fails(t, `dir:${base}/none`, 'ERR_IMAGE_NOT_FOUND')
  await fails(t, `dir:${base}/tree/etc/file`, 'ERR_INVALID_IMAGE', /not a directory/)
  await fails(t, 'dir:', 'ERR_INVALID_OPTION')
  // What skopeo writes under the same name.
  mkdirSync(join(base, 'skopeo'))
  writeFileSync(join(base, 'skopeo/version'), 'Directory Transport Version: 1.1\n')
  const error = await t.throwsAsync(Image.open(`dir:${base}/skopeo`), {
    code: 'ERR_UNSUPPORTED_IMAGE',
  } as never)
  t.regex((error as unknown as CaissonError).hint!, /skopeo copy/)
  writeFileSync(join(base, 'skopeo/version'), '1.0\n')
  await (await Image.open(`dir:${base}/skopeo`)).close()
  // In a layer that name would hide another.
  writeFileSync(join(base, 'tree/.wh.etc'), '')
  await fails(t, `dir:${base}/tree`, 'ERR_INVALID_OPTION', /\.wh\./)
  const signal = AbortSignal.abort(new Error('enough'))
  await t.throwsAsync(Image.open(`dir:${base}/skopeo`, { signal }), { message: 'enough' })
  t.is(unnamed(), 0)
})

test.serial('sockets stay behind', async (t) => {
  const base = small(t)
  const server = createServer().listen(join(base, 'tree/socket'))
  await new Promise((resolve) => server.once('listening', resolve))
  try {
    await using image = await Image.open(`dir:${base}/tree`)
    await image.unpackRootfs(join(base, 'out'))
    t.deepEqual(readdirSync(join(base, 'out')).sort(), ['etc', 'hard', 'soft'])
  } finally {
    server.close()
  }
})

test.serial('it is copied, imported into a store and built upon as any other image', async (t) => {
  const base = small(t)
  const reference = `dir:${base}/tree`
  await using image = await Image.open(reference)
  t.is((await copyImage(reference, { to: `oci:${base}/images:copy` })).descriptor.digest, image.digest)
  const store = new Store({ root: join(base, 'store'), durability: 'none' })
  t.is((await store.import(reference, { name: 'tree' })).digest, image.digest)
  t.is((await store.open('tree')).digest, image.digest)
  const entries = [{ path: '/etc/more', content: 'more' }]
  const built = await Image.build({ from: reference, layout: join(base, 'images'), layers: [{ entries }] })
  t.deepEqual(built.manifest.layers[0], image.manifest.layers[0])
  await built.unpackRootfs(join(base, 'out'))
  t.deepEqual(readdirSync(join(base, 'out/etc')).sort(), ['file', 'more'])
})

needsAlone('root', 'busybox')('a container runs from it', async (t) => {
  const base = scratch(t)
  makeRootfs(join(base, 'tree'))
  const store = new Store({ root: join(base, 'store'), durability: 'none' })
  const runtime = new Runtime({ root: join(base, 'run'), store })
  const { stdout } = await runtime.run(`dir:${base}/tree`, ['sh', '-c', 'echo x > /new; cat /new'])
  t.is(stdout.trim(), 'x')
  t.false(readdirSync(join(base, 'tree')).includes('new'))
})
