/** Images in archives: OCI layouts, docker save, plain root file systems; compressed or not. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import anyTest, { type ExecutionContext } from 'ava'
import { Image } from '../../ts/image/index.ts'
import { rawEntry, scratch, sha256, tar, unnamed, writeLayout, type TestEntry } from './fixture.ts'

const architecture = { x64: 'amd64' }[process.arch as string] ?? process.arch
const layers = [tar([{ name: 'a', content: 'lower' }]), tar([{ name: 'a', content: 'upper' }, { name: 'b' }])]
const has = (tool: string): boolean => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0

// Serial, because some count the open files of this process.
const test = anyTest.serial

async function open(t: ExecutionContext, reference: string): Promise<Image> {
  const image = await Image.open(reference)
  t.teardown(() => image.close())
  return image
}

async function unpacksTo(t: ExecutionContext, base: string, reference: string, b = true): Promise<void> {
  await using image = await Image.open(reference)
  t.deepEqual(await image.missing(), [])
  const target = join(base, 'rootfs')
  await image.unpackRootfs(target)
  t.is(readFileSync(join(target, 'a'), 'utf8'), 'upper')
  t.deepEqual(readdirSync(target), b ? ['a', 'b'] : ['a'])
  rmSync(target, { recursive: true })
}

function layoutArchive(t: ExecutionContext, options: string[] = []): { base: string; file: string } {
  const base = scratch(t)
  writeLayout(join(base, 'images'), layers)
  const file = join(base, 'images.tar')
  const { status, stderr } = spawnSync('tar', ['-C', join(base, 'images'), ...options, '-cf', file, '.'])
  if (status !== 0) throw new Error(String(stderr))
  rmSync(join(base, 'images'), { recursive: true })
  return { base, file }
}

test('an OCI archive is read in place, by tag, by digest or alone', async (t) => {
  const { base, file } = layoutArchive(t)
  await unpacksTo(t, base, `oci-archive:${file}:test`)
  await unpacksTo(t, base, `oci-archive:${file}`)
  const image = await open(t, `oci-archive:${file}`)
  await unpacksTo(t, base, `oci-archive:${file}@${image.digest}`)
  const place = await image.source.locate(image.manifest.layers[1]!.digest)
  t.is(place?.path, file)
  t.is(unnamed(), 0)
  await t.throwsAsync(Image.open(`oci-archive:${file}:other`), { code: 'ERR_IMAGE_NOT_FOUND' } as never)
})

for (const program of ['gzip', 'zstd']) {
  const title = `an OCI archive packed with ${program} is unpacked once, to a file without a name`
  const packed = has(program) ? test : anyTest.skip
  packed(title, async (t) => {
    const { base, file } = layoutArchive(t, [`--use-compress-program=${program}`])
    await unpacksTo(t, base, `oci-archive:${file}:test`)
    const image = await open(t, `oci-archive:${file}:test`)
    t.is(unnamed(), 1)
    await image.close()
    await image.close()
    t.is(unnamed(), 0)
    await t.throwsAsync(Image.open(`oci-archive:${file}:other`), { code: 'ERR_IMAGE_NOT_FOUND' } as never)
    t.is(unnamed(), 0)
  })
}

const config = JSON.stringify({
  architecture,
  os: 'linux',
  config: { Cmd: ['sh'], Hostname: 'kept' },
  rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
})
const configName = `${sha256(config).slice(7)}.json`
const manifestOf = (images: object[]): TestEntry => ({
  name: 'manifest.json',
  content: JSON.stringify(images),
})
const image = {
  Config: configName,
  RepoTags: ['box:1', 'localhost:5000/team/box:latest'],
  Layers: ['one/layer.tar', 'two/layer.tar'],
}

function dockerArchive(t: ExecutionContext, entries: (TestEntry | Buffer)[]): { base: string; file: string } {
  const base = scratch(t)
  const file = join(base, 'saved.tar')
  writeFileSync(file, tar(entries))
  return { base, file }
}

const files: TestEntry[] = [
  { name: configName, content: config },
  { name: 'one/layer.tar', content: layers[0]! },
  { name: 'two/layer.tar', content: layers[1]! },
  { name: 'two/VERSION', content: '1.0' },
]

test('an archive of docker save is read whatever the order of its entries', async (t) => {
  const all = [manifestOf([image]), ...files]
  for (const entries of [all, all.toReversed()]) {
    const { base, file } = dockerArchive(t, entries)
    for (const name of ['', ':box:1', ':docker.io/library/box:1', ':localhost:5000/team/box'])
      await unpacksTo(t, base, `docker-archive:${file}${name}`)
    const opened = await open(t, `docker-archive:${file}`)
    t.is(opened.manifest.config.digest, sha256(config), 'the id of the image stays')
    await unpacksTo(t, base, `docker-archive:${file}@${opened.digest}`)
    await t.throwsAsync(Image.open(`docker-archive:${file}:box:2`), {
      code: 'ERR_IMAGE_NOT_FOUND',
      message: /box:1.*localhost:5000\/team\/box:latest/,
    } as never)
  }
})

test('layers as links, as skopeo writes them, and compressed ones', async (t) => {
  const link = (name: string, target: string): TestEntry => ({ name, type: '2', link: target })
  const linked = dockerArchive(t, [
    link('one/layer.tar', '../first.tar'),
    { name: 'two/layer.tar', type: '1', link: 'second.tar' },
    { name: './first.tar', content: layers[0]! },
    { name: 'second.tar', content: gzipSync(layers[1]!) },
    files[0]!,
    manifestOf([image]),
  ])
  await unpacksTo(t, linked.base, `docker-archive:${linked.file}`)
  const opened = await open(t, `docker-archive:${linked.file}`)
  t.deepEqual(
    opened.manifest.layers.map(({ mediaType }) => mediaType.replace(/.*tar/, '')),
    ['', '+gzip'],
  )
  for (const target of ['../../first.tar', '/etc/passwd', 'one/layer.tar']) {
    const { file } = dockerArchive(t, [
      ...files.slice(0, 1),
      link('one/layer.tar', target),
      ...files.slice(2),
      manifestOf([image]),
    ])
    await t.throwsAsync(Image.open(`docker-archive:${file}`), { code: 'ERR_INVALID_IMAGE' } as never)
  }
})

test('an archive of docker save with an OCI layout inside is read as that', async (t) => {
  const base = scratch(t)
  writeLayout(join(base, 'images'), layers)
  const index = JSON.parse(readFileSync(join(base, 'images/index.json'), 'utf8')) as {
    manifests: { annotations: Record<string, string> }[]
  }
  index.manifests[0]!.annotations = {
    'io.containerd.image.name': 'docker.io/library/box:1',
    'org.opencontainers.image.ref.name': '1',
  }
  writeFileSync(join(base, 'images/index.json'), JSON.stringify(index))
  writeFileSync(join(base, 'images/manifest.json'), 'not looked at')
  const file = join(base, 'saved.tar')
  spawnSync('tar', ['-C', join(base, 'images'), '-cf', file, '.'])
  await unpacksTo(t, base, `docker-archive:${file}:box:1`)
  await unpacksTo(t, base, `oci-archive:${file}:1`)
  await t.throwsAsync(Image.open(`docker-archive:${file}:box`), { code: 'ERR_IMAGE_NOT_FOUND' } as never)
})

test('an archive of docker save that contradicts itself is refused', async (t) => {
  const refused: [code: string, entries: TestEntry[]][] = [
    ['ERR_IMAGE_NOT_FOUND', files],
    ['ERR_UNSUPPORTED_IMAGE', [{ name: 'repositories', content: '{}' }, ...files]],
    ['ERR_INVALID_IMAGE', [{ name: 'manifest.json', content: '{' }, ...files]],
    ['ERR_INVALID_IMAGE', [{ name: 'manifest.json', content: '[{"Config": 1}]' }, ...files]],
    ['ERR_INVALID_IMAGE', [manifestOf([image]), ...files.slice(1)]],
    ['ERR_INVALID_IMAGE', [manifestOf([image]), ...files.slice(0, 2)]],
    ['ERR_INVALID_IMAGE', [manifestOf([{ ...image, Layers: ['one/layer.tar'] }]), ...files]],
    ['ERR_INVALID_IMAGE', [manifestOf([{ ...image, Config: '../../etc/passwd' }]), ...files]],
    ['ERR_LIMIT_EXCEEDED', [{ name: 'manifest.json', content: ' '.repeat((4 << 20) + 1) }, ...files]],
    ['ERR_IMAGE_NOT_FOUND', [manifestOf([]), ...files]],
  ]
  for (const [code, entries] of refused) {
    const { file } = dockerArchive(t, entries)
    await t.throwsAsync(Image.open(`docker-archive:${file}`), { code } as never, JSON.stringify(code))
  }
  const other = tar([{ name: 'evil' }])
  const { base, file } = dockerArchive(t, [
    manifestOf([image]),
    files[0]!,
    { name: 'one/layer.tar', content: other },
    files[2]!,
  ])
  const opened = await open(t, `docker-archive:${file}`)
  const target = join(base, 'rootfs')
  await t.throwsAsync(opened.unpackRootfs(target), { code: 'ERR_DIGEST_MISMATCH' } as never)
  t.deepEqual(readdirSync(base), ['saved.tar'])
})

test('several images in one archive are told apart by name or digest', async (t) => {
  const second = { ...image, RepoTags: null }
  const { file } = dockerArchive(t, [manifestOf([image, second]), ...files])
  t.is((await open(t, `docker-archive:${file}`)).digest.length, 71, 'the same image twice is not ambiguous')
  const otherConfig = config.replace('kept', 'other')
  const other = { ...image, Config: 'other.json', RepoTags: ['other:latest'] }
  const both = dockerArchive(t, [
    manifestOf([image, other]),
    ...files,
    { name: 'other.json', content: otherConfig },
  ])
  const named = (name: string): Promise<Image> => open(t, `docker-archive:${both.file}${name}`)
  await t.throwsAsync(named(''), { code: 'ERR_IMAGE_NOT_FOUND', message: /several images/ } as never)
  t.is((await named(':other')).manifest.config.digest, sha256(otherConfig))
  t.is((await named(':box:1')).manifest.config.digest, sha256(config))
})

test('a root file system as an archive is an image of one layer', async (t) => {
  const base = scratch(t)
  const archive = tar([{ name: 'a', content: 'upper' }])
  const packed: [name: string, bytes: Buffer][] = [
    ['root: file.tar', archive],
    ['root.tar.gz', gzipSync(archive)],
  ]
  for (const [name, bytes] of packed) {
    writeFileSync(join(base, name), bytes)
    await unpacksTo(t, base, `tar:${join(base, name)}`, false)
    const image = await open(t, `tar:${join(base, name)}`)
    t.deepEqual(image.config?.rootfs.diff_ids, [sha256(archive)])
    t.is(image.manifest.layers[0]!.digest, sha256(bytes))
    await image.unpack(join(base, 'bundle'), { args: ['a'] })
    rmSync(join(base, 'bundle'), { recursive: true })
  }
  writeFileSync(join(base, 'bad'), 'no archive'.repeat(100))
  const bad = await open(t, `tar:${join(base, 'bad')}`)
  await t.throwsAsync(bad.unpackRootfs(join(base, 'rootfs')), { code: 'ERR_LAYER_INVALID' } as never)
})

test('an invalid or damaged archive is refused, and nothing stays open', async (t) => {
  const base = scratch(t)
  const path = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(base, name), bytes)
    return join(base, name)
  }
  const good = tar(files)
  const refused: [code: string, file: string][] = [
    ['ERR_IMAGE_NOT_FOUND', join(base, 'nowhere')],
    ['ERR_INVALID_IMAGE', base],
    ['ERR_INVALID_IMAGE', '/dev/null'],
    ['ERR_IMAGE_NOT_FOUND', path('empty', Buffer.alloc(0))],
    ['ERR_LAYER_INVALID', path('text', Buffer.from('no archive'.repeat(100)))],
    ['ERR_LAYER_INVALID', path('cut', good.subarray(0, 700))],
    ['ERR_LAYER_INVALID', path('cut.gz', gzipSync(good).subarray(0, 100))],
    ['ERR_INVALID_IMAGE', path('twice.gz', gzipSync(gzipSync(good)))],
    ['ERR_LIMIT_EXCEEDED', path('bomb.gz', gzipSync(Buffer.alloc(100 << 20)))],
  ]
  for (const transport of ['oci-archive', 'docker-archive'])
    for (const [code, file] of refused)
      await t.throwsAsync(Image.open(`${transport}:${file}`), { code } as never, file)
  t.is(unnamed(), 0)
})

test('an archive that is replaced after it was opened is detected', async (t) => {
  const { base, file } = dockerArchive(t, [manifestOf([image]), ...files])
  const opened = await open(t, `docker-archive:${file}`)
  const changed = tar([
    manifestOf([image]),
    files[0]!,
    { ...files[1]!, content: tar([{ name: 'a', content: 'OTHER' }]) },
  ])
  writeFileSync(
    join(base, 'next'),
    Buffer.concat([changed, rawEntry({ name: 'x', content: Buffer.alloc(4096) })]),
  )
  renameSync(join(base, 'next'), file)
  await t.throwsAsync(opened.unpackRootfs(join(base, 'rootfs')))
  t.deepEqual(readdirSync(base), ['saved.tar'])
})

test('an abort ends the reading of an archive', async (t) => {
  const base = scratch(t)
  writeFileSync(join(base, 'big.gz'), gzipSync(Buffer.alloc(32 << 20, 'abc')))
  const signal = AbortSignal.abort(new Error('enough'))
  await t.throwsAsync(Image.open(`tar:${base}/big.gz`, { signal }), { message: 'enough' })
})
