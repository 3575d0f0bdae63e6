import { spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { Image } from '../../ts/image/index.ts'
import type { UnpackOptions, UnpackResult } from '../../ts/image/index.ts'
import {
  rawEntry,
  scratch,
  sha256,
  tar,
  writeLayout,
  type TestEntry,
  type TestLayer,
  type TestLayoutOptions,
} from './fixture.ts'

const root = process.geteuid?.() === 0

interface Unpacked {
  path: (name: string) => string
  read: (name: string) => string
  result: UnpackResult
}

async function unpack(
  t: ExecutionContext,
  layers: (TestLayer | TestEntry[])[],
  options: UnpackOptions = {},
  layout: TestLayoutOptions = {},
): Promise<Unpacked> {
  const base = scratch(t)
  writeLayout(
    join(base, 'images'),
    layers.map((layer) => (Array.isArray(layer) ? tar(layer) : layer)),
    layout,
  )
  const image = await Image.open(`oci:${base}/images:test`)
  const result = await image.unpackRootfs(join(base, 'rootfs'), options)
  const path = (name: string): string => join(base, 'rootfs', name)
  return { path, result, read: (name) => readFileSync(path(name), 'utf8') }
}

async function refused(
  t: ExecutionContext,
  layers: TestLayer[],
  options: UnpackOptions = {},
  layout: TestLayoutOptions = {},
): Promise<string> {
  const base = scratch(t)
  writeLayout(join(base, 'images'), layers, layout)
  const error = await t.throwsAsync<Error & { code: string }>(async () => {
    await (await Image.open(`oci:${base}/images:test`)).unpackRootfs(join(base, 'rootfs'), options)
  })
  t.deepEqual(readdirSync(base), ['images'], 'nothing is left behind')
  return error?.code ?? ''
}

const f = (name: string, content = name): TestEntry => ({ name, content })

test('gzip of several members, with zeros after it, decodes to its end', async (t) => {
  const archive = tar([f('a'), f('b')])
  const blob = Buffer.concat([
    gzipSync(archive.subarray(0, 700)),
    gzipSync(archive.subarray(700)),
    Buffer.alloc(100),
  ])
  const { read } = await unpack(t, [{ tar: archive, blob }])
  t.is(read('a') + read('b'), 'ab')
})

test('a wrong checksum or length of a gzip member is an error, however right the digests', async (t) => {
  const archive = tar([f('a'), f('b')])
  for (const at of [8, 4]) {
    const members = [gzipSync(archive.subarray(0, 700)), gzipSync(archive.subarray(700))]
    members[0]![members[0]!.length - at]! ^= 1
    const blob = Buffer.concat(members)
    t.is(await refused(t, [{ tar: archive, blob }]), 'ERR_LAYER_INVALID')
  }
})

test('plain layers are read, and padding after the end marker belongs to the diffID', async (t) => {
  const archive = Buffer.concat([tar([f('a')]), Buffer.alloc(9000)])
  const mediaType = 'application/vnd.oci.image.layer.v1.tar'
  const { read, result } = await unpack(t, [{ tar: archive, blob: archive, mediaType }])
  t.is(read('a'), 'a')
  t.deepEqual(result.warnings, [])
})

const zstd = (bytes: Buffer): Buffer | undefined => {
  const { status, stdout } = spawnSync('zstd', ['-q', '-c'], { input: bytes, maxBuffer: 1 << 28 })
  return status === 0 ? stdout : undefined
}

test('an archive may end with its last byte of content, as that of umoci insert did, and not before', async (t) => {
  const whole = tar([f('a'), f('b', 'content')])
  const end = whole.indexOf('content') + 'content'.length
  for (const cut of [end, end + 100]) {
    const { read } = await unpack(t, [{ tar: whole.subarray(0, cut) }])
    t.is(read('a') + read('b'), 'acontent')
  }
  for (const cut of [end - 1, end - 7 - 100]) {
    t.is(await refused(t, [{ tar: whole.subarray(0, cut) }]), 'ERR_LAYER_INVALID')
  }
})

test('zstd of several frames, skippable ones too, decodes to its end', async (t) => {
  const archive = tar([f('a'), f('b')])
  const frames = [zstd(archive.subarray(0, 700)), zstd(archive.subarray(700))]
  if (!frames[0] || !frames[1]) return void t.pass('skipped: zstd is not installed')
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
  const blob = Buffer.concat([frames[0], skippable, frames[1], skippable])
  const { read } = await unpack(t, [
    { tar: archive, blob, mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' },
  ])
  t.is(read('a') + read('b'), 'ab')
})

test('a layer with a wrong media type is read, with a warning', async (t) => {
  const archive = tar([f('a')])
  const { read, result } = await unpack(t, [{ tar: archive, blob: archive }])
  t.is(read('a'), 'a')
  t.is(result.warnings.length, 1)
  t.regex(result.warnings[0]!, /plain tar.*gzip/)
})

test('an upper layer replaces, merges and hides', async (t) => {
  const { path, read } = await unpack(t, [
    [
      { name: 'd/', mode: 0o700 },
      f('d/old'),
      f('d/gone'),
      f('file'),
      f('tree/x/y'),
      { name: 'l', type: '2', link: 'd' },
    ],
    [
      { name: 'd/', mode: 0o751 },
      f('d/new'),
      f('d/.wh.gone', ''),
      f('file/now-a-directory'),
      f('.wh.tree', ''),
      f('l'),
    ],
  ])
  t.deepEqual(readdirSync(path('d')).sort(), ['new', 'old'])
  t.is(statSync(path('d')).mode & 0o7777, 0o751)
  t.is(read('file/now-a-directory'), 'file/now-a-directory')
  t.false(existsSync(path('tree')))
  t.is(read('l'), 'l')
})

test('a directory that was reached through a link keeps mode and time when the link is replaced', async (t) => {
  const { path, read } = await unpack(t, [
    [{ name: 'real/' }, { name: 'link', type: '2', link: 'real' }],
    [{ name: 'link/sub/', mode: 0o711, mtime: 77 }, f('link/sub/x')],
    [f('link')],
  ])
  const { mode, mtimeMs } = statSync(path('real/sub'))
  t.deepEqual([mode & 0o7777, mtimeMs], [0o711, 77_000])
  t.is(read('link'), 'link')
})

for (const order of ['before', 'after']) {
  const arranged = (marker: TestEntry, entries: TestEntry[]): TestEntry[] =>
    order === 'before' ? [marker, ...entries] : [...entries, marker]

  test(`an opaque marker ${order} its siblings hides lower layers only`, async (t) => {
    const { path, read } = await unpack(t, [
      [f('d/old'), f('d/both', 'lower'), f('d/sub/old'), f('d/sub/deep/x')],
      arranged(f('d/.wh..wh..opq', ''), [f('d/both', 'upper'), f('d/new'), f('d/sub/new')]),
    ])
    t.deepEqual(readdirSync(path('d')).sort(), ['both', 'new', 'sub'])
    t.deepEqual(readdirSync(path('d/sub')), ['new'])
    t.is(read('d/both'), 'upper')
  })

  test(`a whiteout ${order} a new entry of the same name keeps the new one`, async (t) => {
    const { path, read } = await unpack(t, [
      [f('a', 'lower'), f('d/old'), f('d/sub/old')],
      arranged(f('.wh.d', ''), [{ name: 'd/' }, f('d/new')]),
      arranged(f('.wh.a', ''), [f('a', 'upper')]),
    ])
    t.is(read('a'), 'upper')
    t.deepEqual(readdirSync(path('d')), ['new'])
  })
}

test('markers of AUFS and global PAX headers mean nothing', async (t) => {
  const { path } = await unpack(t, [
    [rawEntry({ name: 'g', type: 'g', content: '18 path=everything\n' }) as never, f('a')],
    [{ name: '.wh..wh.plnk/' }, f('.wh..wh.plnk/1.2'), f('.wh..wh.aufs', ''), f('b')],
  ])
  t.deepEqual(readdirSync(path('.')).sort(), ['a', 'b'])
})

test('hard links share an inode, across layers and before their target', async (t) => {
  const { path } = await unpack(t, [
    [{ name: 'early', type: '1', link: 'target' }, f('target')],
    [{ name: 'late', type: '1', link: '/target' }],
  ])
  const inodes = ['early', 'target', 'late'].map((name) => statSync(path(name)).ino)
  t.is(new Set(inodes).size, 1)
})

test('modes, owners and times are kept, directories last', async (t) => {
  const { path } = await unpack(t, [
    [
      { name: 'd/', mode: 0o555, mtime: 11 },
      { name: 'd/suid', content: 'x', mode: 0o4755, uid: root ? 12 : 0, gid: root ? 34 : 0, mtime: 22 },
      { name: 'd/fraction', content: 'x', pax: { mtime: '33.123456789' } },
      { name: 'd/l', type: '2', link: 'nowhere', mtime: 44 },
      { name: './', mode: 0o711, mtime: 55 },
    ],
  ])
  t.is(statSync(path('d')).mode & 0o7777, 0o555)
  t.is(statSync(path('d')).mtimeMs, 11_000)
  t.is(statSync(path('d/suid')).mode & 0o7777, 0o4755)
  if (root) t.deepEqual([statSync(path('d/suid')).uid, statSync(path('d/suid')).gid], [12, 34])
  t.is(statSync(path('d/fraction'), { bigint: true }).mtimeNs, 33_123_456_789n)
  t.is(lstatSync(path('d/l')).mtimeMs, 44_000)
  t.is(readlinkSync(path('d/l')), 'nowhere')
  t.is(statSync(path('.')).mode & 0o7777, 0o711)
})

test('long names, names of bytes and sparse files are read', async (t) => {
  const long = `${'n'.repeat(90)}/`.repeat(10) + 'end'
  const map = {
    'GNU.sparse.major': '1',
    'GNU.sparse.minor': '0',
    'GNU.sparse.name': 'hole',
    'GNU.sparse.realsize': '1048578',
  }
  const { path, read } = await unpack(t, [
    [
      { name: 'x', content: 'long', pax: { path: long } },
      rawEntry({ name: '././@LongLink', type: 'L', content: `${long}-gnu\0` }) as never,
      f('y', 'gnu'),
      {
        name: 'z',
        pax: map,
        content: Buffer.concat([Buffer.from('1\n1048576\n2\n'.padEnd(512, '\0')), Buffer.from('hi')]),
      },
      {
        name: 'z',
        pax: { 'GNU.sparse.map': '4,2', 'GNU.sparse.size': '8', 'GNU.sparse.name': 'old' },
        content: 'hi',
      },
    ],
  ])
  t.is(read(long), 'long')
  t.is(read(`${long}-gnu`), 'gnu')
  t.is(statSync(path('hole')).size, 1_048_578)
  t.is(readFileSync(path('hole'), 'latin1').slice(-3), '\0hi')
  t.is(read('old'), '\0\0\0\0hi\0\0')
})

test('devices and FIFOs are made as root and follow the policy otherwise', async (t) => {
  const entries: TestEntry[] = [
    { name: 'null', type: '3', major: 1, minor: 3, mode: 0o666 },
    { name: 'pipe', type: '6', mode: 0o640 },
  ]
  if (root) {
    const { path } = await unpack(t, [entries])
    t.true(lstatSync(path('null')).isCharacterDevice())
    t.is(lstatSync(path('null')).mode & 0o7777, 0o666)
    t.true(lstatSync(path('pipe')).isFIFO())
  }
  const skipped = await unpack(t, [entries], { rootless: true })
  t.false(existsSync(skipped.path('null')))
  t.true(lstatSync(skipped.path('pipe')).isFIFO())
  t.is(skipped.result.skipped[0]?.what, 'device')
  const placeholder = await unpack(t, [entries], { rootless: true, devices: 'placeholder' })
  t.is(lstatSync(placeholder.path('null')).mode, 0o100000)
  t.is(await refused(t, [{ tar: tar(entries) }], { rootless: true, devices: 'error' }), 'ERR_SYSCALL')
})

test('a rootless unpack reports which owners it could not keep', async (t) => {
  const { result } = await unpack(t, [[{ name: 'f', content: '', uid: 5, gid: 6 }]], { rootless: true })
  t.deepEqual(result.skipped, [{ path: 'f', what: 'owner', detail: '5:6 is not kept' }])
})

test('a wrong digest, size or diffID has its own code, and nothing is left', async (t) => {
  const archive = tar([f('a')])
  const blob = gzipSync(archive)
  const changed = Buffer.from(blob)
  changed[changed.length - 10]! ^= 1
  const swap = (found: Buffer): TestLayoutOptions => ({
    manifest: ({ layers }) => {
      layers[0]!.digest = sha256(blob)
      layers[0]!.size = blob.length
      void found
    },
  })
  const at = async (content: Buffer): Promise<string> => {
    const base = scratch(t)
    writeLayout(join(base, 'images'), [{ tar: archive, blob }], swap(content))
    writeFileSync(join(base, 'images/blobs/sha256', sha256(blob).slice(7)), content)
    const image = await Image.open(`oci:${base}/images:test`)
    const error = await t.throwsAsync<Error & { code: string }>(image.unpackRootfs(join(base, 'rootfs')))
    t.deepEqual(readdirSync(base), ['images'])
    return error?.code ?? ''
  }
  t.is(await at(changed), 'ERR_DIGEST_MISMATCH')
  t.is(await at(Buffer.concat([blob, Buffer.from('x')])), 'ERR_SIZE_MISMATCH')
  t.is(await at(blob.subarray(0, 40)), 'ERR_SIZE_MISMATCH')
  t.is(await refused(t, [{ tar: archive, diffId: sha256('other') }]), 'ERR_DIGEST_MISMATCH')
  t.is(await refused(t, [{ tar: archive, blob: blob.subarray(0, 40) }]), 'ERR_LAYER_INVALID')
  t.is(
    await refused(
      t,
      [{ tar: archive }],
      {},
      { manifest: ({ layers }) => void (layers[0]!.digest = sha256('none')) },
    ),
    'ERR_BLOB_NOT_FOUND',
  )
})

test('decompression bombs exceed limits, and nothing is left', async (t) => {
  const zeros = Buffer.alloc(100 << 20)
  const big = tar([{ name: 'zeros', content: zeros }])
  t.is(await refused(t, [{ tar: big }], { limits: { ratio: 100 } }), 'ERR_LIMIT_EXCEEDED')
  t.is(await refused(t, [{ tar: big }], { limits: { bytes: 1 << 20 } }), 'ERR_LIMIT_EXCEEDED')
  const many = tar(Array.from({ length: 50 }, (_, index) => f(`f${index}`)))
  t.is(await refused(t, [{ tar: many }], { limits: { entries: 49 } }), 'ERR_LIMIT_EXCEEDED')
  const deep = tar([{ name: 'x', pax: { path: 'd/'.repeat(600) } }])
  t.is(await refused(t, [{ tar: deep }]), 'ERR_LIMIT_EXCEEDED')
  const header = tar([{ name: 'x', pax: { comment: 'c'.repeat(2 << 20) } }])
  t.is(await refused(t, [{ tar: header }]), 'ERR_LIMIT_EXCEEDED')
  const sparse = tar([{ name: 's', pax: { 'GNU.sparse.map': '', 'GNU.sparse.size': String(2 ** 50) } }])
  t.is(await refused(t, [{ tar: sparse }]), 'ERR_LIMIT_EXCEEDED')
})

test('an abort ends the work with the reason of the signal, and nothing is left', async (t) => {
  const base = scratch(t)
  writeLayout(join(base, 'images'), [tar([{ name: 'f', content: Buffer.alloc(64 << 20, 'abc') }])])
  const image = await Image.open(`oci:${base}/images:test`)
  const reason = new Error('enough')
  const controller = new AbortController()
  const unpacking = image.unpackRootfs(join(base, 'rootfs'), { signal: controller.signal })
  setImmediate(() => controller.abort(reason))
  t.is(await t.throwsAsync(unpacking), reason)
  t.deepEqual(readdirSync(base), ['images'])
})

test('an occupied target is refused and stays as it is', async (t) => {
  const base = scratch(t)
  writeLayout(join(base, 'images'), [tar([f('a')])])
  mkdirSync(join(base, 'rootfs'))
  const image = await Image.open(`oci:${base}/images:test`)
  await image.unpackRootfs(join(base, 'rootfs')) // empty: allowed
  await t.throwsAsync(image.unpackRootfs(join(base, 'rootfs')), { code: 'ERR_EXISTS' } as never)
  t.deepEqual(readdirSync(join(base, 'rootfs')), ['a'])
})

test('a bundle that cannot be made leaves nothing, not even the directories above it', async (t) => {
  const base = scratch(t)
  writeLayout(join(base, 'images'), [tar([f('a')])], {
    config: { config: { Cmd: ['x'], User: 'missing-user' } },
  })
  const image = await Image.open(`oci:${base}/images:test`)
  await t.throwsAsync(image.unpack(join(base, 'new/deep/bundle')), { code: 'ERR_INVALID_IMAGE' } as never)
  await t.throwsAsync(image.unpack(join(base, 'new/bundle'), { args: [] }), {
    code: 'ERR_INVALID_OPTION',
  } as never)
  t.deepEqual(readdirSync(base), ['images'])
  mkdirSync(join(base, 'bundle'))
  await image.unpack(join(base, 'bundle'), { user: '12:34' })
  t.deepEqual(readdirSync(join(base, 'bundle')).sort(), ['config.json', 'rootfs'])
  await t.throwsAsync(image.unpack(join(base, 'bundle')), { code: 'ERR_EXISTS' } as never)
})
