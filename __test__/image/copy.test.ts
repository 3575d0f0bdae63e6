/** Copies between layouts and archives: what is written, what is refused, and that failures leave nothing. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { copyImage, copyImages, Image, Layout, type CopyProgress } from '../../ts/image/index.ts'
import { checkout } from '../fixtures/program.ts'
import { scratch, sha256, tar, writeLayout } from './fixture.ts'

const archives = ['oci-archive', 'docker-archive'] as const
const build = (layout: string, tag: string, content = tag): Promise<Image> =>
  Image.build({
    layout,
    tag,
    sourceDateEpoch: 0,
    layers: [{ entries: [{ path: '/same', content: 'same' }] }, { entries: [{ path: '/file', content }] }],
  })

/** An index of images for several platforms, tagged `multi`. */
async function buildIndex(layout: string): Promise<Record<string, Image>> {
  const images: Record<string, Image> = {}
  for (const architecture of ['amd64', 'arm64', 's390x']) {
    images[architecture] = await Image.build({
      layout,
      platform: { os: 'linux', architecture },
      layers: [{ entries: [{ path: '/arch', content: architecture }] }],
    })
  }
  const opened = await Layout.open(layout)
  const manifests = Object.values(images).map(({ descriptor }) => descriptor)
  const index = JSON.stringify({ schemaVersion: 2, manifests })
  await opened.tag(await opened.writeBlob(index, 'application/vnd.oci.image.index.v1+json'), 'multi')
  return images
}

const fails = (
  t: ExecutionContext,
  copy: Promise<unknown>,
  code: string,
  message?: RegExp,
): Promise<unknown> => t.throwsAsync(copy, { code, ...(message ? { message } : {}) } as never)

for (const transport of archives) {
  test(`${transport}: the same bytes from any source, and the same image back`, async (t) => {
    const base = scratch(t)
    const image = await build(join(base, 'images'), 'app')
    const [one, two, three] = ['one.tar', 'two.tar', 'three.tar'].map((name) => join(base, name))
    const progress: CopyProgress[] = []
    const onProgress = (seen: CopyProgress): void => void progress.push(seen)
    const name = transport === 'oci-archive' ? 'app' : 'team/app:1'
    const copied = await copyImage(`oci:${base}/images:app`, {
      to: `${transport}:${one}:${name}`,
      onProgress,
    })
    t.is(copied.descriptor.digest, image.digest)
    t.is(copied.blobs, 4)
    t.deepEqual(progress.at(-1), { bytes: copied.bytes, blobs: 4, total: copied.bytes })
    await copyImage(`${transport}:${one}:${name}`, { to: `${transport}:${two}:${name}` })
    t.deepEqual(readFileSync(one!), readFileSync(two!))
    await copyImage(`${transport}:${one}`, { layout: join(base, 'back'), tag: 'app' })
    await copyImage(`oci:${base}/back:app`, { to: `${transport}:${three}`, tag: name })
    t.deepEqual(readFileSync(one!), readFileSync(three!))
    await using back = await Image.open(`${transport}:${three}:${name}`)
    t.is(back.digest, image.digest)
    t.deepEqual((await back.verify()).problems, [])
    t.is(await text(back.readFile('/file')), 'app')
    t.deepEqual(readdirSync(base).sort(), ['back', 'images', 'one.tar', 'three.tar', 'two.tar'])
  })

  test(`${transport}: what exists stays, unless it may be replaced`, async (t) => {
    const base = scratch(t)
    await build(join(base, 'images'), 'app')
    const file = join(base, 'there.tar')
    const [from, to] = [`oci:${base}/images:app`, `${transport}:${file}`]
    writeFileSync(file, 'mine')
    await fails(t, copyImage(from, { to }), 'ERR_EXISTS')
    t.is(readFileSync(file, 'utf8'), 'mine')
    await copyImage(from, { to, overwrite: true })
    // Also from itself, which stays readable until the new one is complete.
    const before = readFileSync(file)
    await copyImage(`${transport}:${file}`, { to, overwrite: true })
    t.is((await Image.open(`${transport}:${file}`)).manifest.layers.length, 2)
    t.is(readFileSync(file).length, before.length)
    const folder = `${transport}:${base}/images`
    await fails(t, copyImage(from, { to: folder, overwrite: true }), 'ERR_EXISTS', /not a regular file/)
    symlinkSync(file, join(base, 'link'))
    await fails(t, copyImage(from, { to: `${transport}:${base}/link` }), 'ERR_EXISTS')
    await fails(
      t,
      copyImage(from, { to: `${transport}:${base}/none/x.tar` }),
      'ERR_NOT_FOUND',
      /does not exist/,
    )
    t.deepEqual(readdirSync(base).sort(), ['images', 'link', 'there.tar'])
  })

  test(`${transport}: a failure leaves nothing, and what was there before`, async (t) => {
    const base = scratch(t)
    const image = await build(join(base, 'images'), 'app')
    const [from, to] = [`oci:${base}/images:app`, `${transport}:${base}/out.tar`]
    const signal = AbortSignal.abort(new Error('enough'))
    await t.throwsAsync(copyImage(from, { to, signal }), { message: 'enough' })
    writeFileSync(join(base, 'out.tar'), 'old')
    const layer = image.manifest.layers[1]!
    const path = (image.source as Layout).blobPath(layer.digest)
    const good = readFileSync(path)
    writeFileSync(path, Buffer.alloc(layer.size))
    await fails(t, copyImage(from, { to, overwrite: true }), 'ERR_DIGEST_MISMATCH')
    truncateSync(path, 3)
    await fails(t, copyImage(from, { to, overwrite: true }), 'ERR_SIZE_MISMATCH')
    t.is(readFileSync(join(base, 'out.tar'), 'utf8'), 'old')
    t.deepEqual(readdirSync(base).sort(), ['images', 'out.tar'])
    writeFileSync(path, good)
    await copyImage(from, { to, overwrite: true })
    // Two writers of one archive: one wins, the other is told.
    const both = await Promise.allSettled(
      [1, 2].map(() => copyImage(from, { to: `${transport}:${base}/race.tar` })),
    )
    t.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    t.deepEqual(readdirSync(base).sort(), ['images', 'out.tar', 'race.tar'])
  })
}

test('several images go into one archive, each with its name, and layers once', async (t) => {
  const base = scratch(t)
  const layout = join(base, 'images')
  const images = [await build(layout, 'a', '1'), await build(layout, 'b', '2')]
  const oci = await copyImages([`oci:${layout}:a`, `oci:${layout}:b`], { to: `oci-archive:${base}/oci.tar` })
  t.is(oci.blobs, 7)
  t.deepEqual(
    oci.images.map(({ descriptor, name }) => [descriptor.digest, name]),
    images.map(({ digest }, index) => [digest, 'ab'[index]]),
  )
  for (const [index, tag] of ['a', 'b'].entries()) {
    await using opened = await Image.open(`oci-archive:${base}/oci.tar:${tag}`)
    t.is(opened.digest, images[index]!.digest)
  }
  const saved: string[] = []
  for (const [tag, name] of [
    ['a', 'team/a:1'],
    ['a', 'other:latest'],
    ['b', 'localhost:5000/b:2'],
  ] as const) {
    const file = join(base, `${saved.length}.tar`)
    await copyImage(`oci:${layout}:${tag}`, { to: `docker-archive:${file}:${name}` })
    saved.push(`docker-archive:${file}`)
  }
  const all = `docker-archive:${base}/all.tar`
  t.is((await copyImages(saved, { to: all })).blobs, 7)
  const names = { 'team/a:1': 0, other: 0, 'localhost:5000/b:2': 1 }
  for (const [name, index] of Object.entries(names)) {
    await using opened = await Image.open(`${all}:${name}`)
    t.is(opened.digest, images[index]!.digest)
  }
  const { stdout } = spawnSync('tar', ['-xOf', join(base, 'all.tar'), 'manifest.json'], { encoding: 'utf8' })
  const blob = (digest: string): string => `blobs/sha256/${digest.slice(7)}`
  const listed = images.map(({ manifest }, index) => ({
    Config: blob(manifest.config.digest),
    RepoTags: [['docker.io/team/a:1', 'docker.io/library/other:latest'], ['localhost:5000/b:2']][index],
    Layers: manifest.layers.map(({ digest }) => blob(digest)),
  }))
  t.deepEqual(JSON.parse(stdout), listed)
  // Back into a layout, where names of docker's kind are kept as such.
  await copyImages(
    ['team/a:1', 'localhost:5000/b:2'].map((name) => `${all}:${name}`),
    { layout: join(base, 'back') },
  )
  const { manifests } = await (await Layout.open(join(base, 'back'))).index()
  t.deepEqual(
    manifests.map(({ annotations }) => annotations),
    ['docker.io/team/a:1', 'localhost:5000/b:2'].map((name) => ({ 'io.containerd.image.name': name })),
  )
})

test('a bare tag is not a name for docker: such an image is unnamed', async (t) => {
  const base = scratch(t)
  await build(join(base, 'images'), 'latest')
  const to = `docker-archive:${base}/out.tar`
  const { images } = await copyImages([`oci:${base}/images:latest`], { to })
  t.is(images[0]!.name, undefined)
  await using image = await Image.open(to)
  t.is(image.descriptor.annotations, undefined)
  await build(join(base, 'images'), 'example.org/team/app:1')
  const named = await copyImages([`oci:${base}/images:example.org/team/app:1`], { to, overwrite: true })
  t.is(named.images[0]!.name, 'example.org/team/app:1')
})

test('an index stays one in a layout and in an OCI archive; for docker one of its images is chosen', async (t) => {
  const base = scratch(t)
  const images = await buildIndex(join(base, 'images'))
  const from = `oci:${base}/images:multi`
  t.is((await copyImage(from, { to: `oci-archive:${base}/whole.tar` })).blobs, 10)
  const two = { to: `oci-archive:${base}/two.tar`, platforms: ['linux/amd64', 'linux/s390x'] }
  t.is((await copyImage(from, two)).blobs, 7)
  for (const [architecture, { digest }] of Object.entries(images)) {
    const platform = `linux/${architecture}`
    await using whole = await Image.open(`oci-archive:${base}/whole.tar:multi`, { platform })
    t.is(whole.digest, digest)
    const part = Image.open(`oci-archive:${base}/two.tar:multi`, { platform })
    if (architecture === 'arm64') await fails(t, part, 'ERR_IMAGE_NOT_FOUND', /amd64.*s390x/)
    else t.is((await part).digest, digest)
    const to = `docker-archive:${base}/${architecture}.tar:box`
    t.is((await copyImage(from, { to, platforms: [platform] })).descriptor.digest, digest)
    await using docker = await Image.open(to, { platform })
    t.is(await text(docker.readFile('/arch')), architecture)
  }
  const here = process.arch === 'arm64' ? 'arm64' : 'amd64'
  const to = `docker-archive:${base}/out.tar`
  t.is((await copyImage(from, { to })).descriptor.digest, images[here]!.digest)
  const options = { to, overwrite: true }
  await fails(
    t,
    copyImage(from, { ...options, platforms: ['linux/amd64', 'linux/arm64'] }),
    'ERR_INVALID_OPTION',
  )
  await fails(t, copyImage(from, { ...options, platforms: ['linux/riscv64'] }), 'ERR_IMAGE_NOT_FOUND')
  // A single manifest is copied for any platform.
  const other = images['s390x']!.digest
  t.is((await copyImage(`oci:${base}/images@${other}`, options)).descriptor.digest, other)
  const wrong = { ...options, platforms: ['linux/arm64'] }
  await fails(t, copyImage(`oci:${base}/images@${other}`, wrong), 'ERR_IMAGE_NOT_FOUND')
})

test('images that docker cannot load are refused', async (t) => {
  const base = scratch(t)
  const to = `docker-archive:${base}/out.tar`
  const layer = tar([{ name: 'a', content: 'a' }])
  writeLayout(join(base, 'artifact'), [layer], {
    manifest: (manifest) => {
      manifest['config'] = { mediaType: 'application/x', digest: sha256(''), size: 0, data: '' }
    },
  })
  await fails(t, copyImage(`oci:${base}/artifact`, { to }), 'ERR_UNSUPPORTED_IMAGE', /artifact/)
  writeLayout(join(base, 'elsewhere'), [layer], {
    manifest: ({ layers }) => {
      Object.assign(layers[0]!, { digest: sha256('elsewhere'), urls: ['https://example.org/layer'] })
    },
  })
  await fails(t, copyImage(`oci:${base}/elsewhere`, { to }), 'ERR_BLOB_NOT_FOUND')
  writeLayout(join(base, 'uneven'), [layer], { config: { rootfs: { type: 'layers', diff_ids: [] } } })
  await fails(t, copyImage(`oci:${base}/uneven`, { to }), 'ERR_INVALID_IMAGE', /diffIDs/)
  t.false(readdirSync(base).includes('out.tar'))
  // An OCI archive holds anything, content in a descriptor included.
  await copyImage(`oci:${base}/artifact`, { to: `oci-archive:${base}/out.tar` })
  await using image = await Image.open(`oci-archive:${base}/out.tar`)
  t.is(image.config, undefined)
})

test('invalid targets and names are refused before anything is made', async (t) => {
  const base = scratch(t)
  await build(join(base, 'images'), 'app')
  const from = `oci:${base}/images:app`
  const refused = (options: object, message: RegExp, references = [from]): Promise<unknown> =>
    fails(t, copyImages(references, options), 'ERR_INVALID_OPTION', message)
  const archive = `oci-archive:${base}/out.tar`
  await refused({}, /either to or layout/)
  await refused({ to: archive, layout: base }, /either to or layout/)
  await refused({ to: archive }, /nothing to copy/, [])
  await refused({ to: `tar:${base}/out.tar` }, /exportRootfs|root file system/)
  await refused({ to: `dir:${base}/out` }, /root file system/)
  await refused({ to: `${archive}@${sha256('x')}` }, /digest/)
  await refused({ to: archive, tag: 'not valid' }, /not valid/)
  await refused({ to: `docker-archive:${base}/out.tar`, tag: 'Not Valid' }, /valid name/)
  await refused({ to: `${archive}:app` }, /cannot all be called app/, [from, from])
  await refused({ to: archive }, /would be called app/, [from, from])
  await refused({ to: archive, platforms: ['linux'] }, /os\/architecture/)
  t.deepEqual(readdirSync(base), ['images'])
})

test('anything that takes images can be a target', async (t) => {
  const base = scratch(t)
  const image = await build(join(base, 'images'), 'app')
  const seen: string[] = []
  await copyImage(`oci:${base}/images:app`, {
    to: {
      transport: 'oci',
      path: '/nowhere',
      takesIndexes: true,
      nameOf: (wanted, { tag }) => wanted ?? tag,
      write: ({ images, blobs }) => {
        seen.push(images[0]!.name!, ...blobs.keys())
        return Promise.resolve({ bytes: 0, blobs: 0 })
      },
    },
  })
  const { config, layers } = image.manifest
  t.deepEqual(seen, ['app', config.digest, ...layers.map(({ digest }) => digest), image.digest])
})

test('caisson image copy: several sources, archives, --overwrite, --platform', async (t) => {
  const base = scratch(t)
  await build(join(base, 'images'), 'a')
  await build(join(base, 'images'), 'b', 'other')
  await buildIndex(join(base, 'images'))
  const command = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [join(checkout, 'dist/cli.js'), 'image', 'copy', ...args], {
      cwd: base,
      encoding: 'utf8',
    })
  const both = command('--format', 'json', 'images:a', 'images:b', 'oci-archive:both.tar')
  t.is(both.stderr, '')
  t.deepEqual(
    (JSON.parse(both.stdout) as { tag: string }[]).map(({ tag }) => tag),
    ['a', 'b'],
  )
  t.is(command('oci-archive:both.tar:a', 'layout').status, 0)
  t.deepEqual(await (await Layout.open(join(base, 'layout'))).tags(), ['a'])
  const again = command('images:a', 'oci-archive:both.tar')
  t.is(again.status, 1)
  t.regex(again.stderr, /both\.tar exists already/)
  t.is(command('--overwrite', 'images:a', 'oci-archive:both.tar').status, 0)
  const docker = command(
    '--platform',
    'linux/s390x',
    '--format',
    'json',
    'images:multi',
    'docker-archive:s.tar:team/s',
  )
  t.is((JSON.parse(docker.stdout) as { tag: string }).tag, 'docker.io/team/s:latest')
})
