import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { CaissonError } from '../../ts/errors.ts'
import { Image, Layout, parseReference } from '../../ts/image/index.ts'
import { platformRank } from '../../ts/image/platform.ts'
import { thisMachine, variantOf } from '../../ts/image/processor.ts'
import { scratch, sha256, tar, writeLayout } from './fixture.ts'

const layer = tar([{ name: 'a', content: 'a' }])

interface Index {
  manifests: Record<string, unknown>[]
  [key: string]: unknown
}

/** Rewrites index.json of a layout. */
function editIndex(path: string, edit: (index: Index) => unknown): void {
  const file = join(path, 'index.json')
  const index = JSON.parse(readFileSync(file, 'utf8')) as Index
  writeFileSync(file, JSON.stringify(edit(index) ?? index))
}

const code = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'opened',
    (error: CaissonError) => error.code,
  )

test('references are parsed', (t) => {
  t.deepEqual(parseReference('oci:./dir'), { transport: 'oci', path: './dir' })
  t.deepEqual(parseReference('oci:/a/b:alpine:3'.replace(':3', '-3')), {
    transport: 'oci',
    path: '/a/b',
    tag: 'alpine-3',
  })
  const digest = sha256('')
  t.deepEqual(parseReference(`oci:d@${digest}`), { transport: 'oci', path: 'd', digest })
  t.deepEqual(parseReference('oci-archive:i.tar:a'), { transport: 'oci-archive', path: 'i.tar', tag: 'a' })
  const full = { transport: 'docker-archive', path: 's.tar', name: 'docker.io/library/box:latest' } as const
  for (const name of ['box', 'box:latest', 'library/box', 'docker.io/box', 'index.docker.io/library/box'])
    t.deepEqual(parseReference(`docker-archive:s.tar:${name}`), full, name)
  t.is(parseReference('docker-archive:s.tar:localhost:5000/a/b:1').name, 'localhost:5000/a/b:1')
  t.is(parseReference('docker-archive:s.tar:me/b').name, 'docker.io/me/b:latest')
  t.deepEqual(parseReference('tar:a:b@c'), { transport: 'tar', path: 'a:b@c' })
  for (const bad of [
    '',
    'dir',
    'tar:',
    'docker-archive:s.tar:a b',
    'docker-archive:s.tar:../x',
    'constructor:x',
    'oci:',
    'oci::tag',
    'oci:d:',
    'oci:d:-x',
    'oci:d:../x',
    'docker://alpine',
    'oci:d:a b',
  ]) {
    t.throws(() => parseReference(bad), { code: 'ERR_INVALID_OPTION' } as never, bad)
  }
})

test('variants are ranked: the same, then older ones, never newer', (t) => {
  const rank = (offered: string, wanted: string): number => {
    const [a, b] = [offered.split('/'), wanted.split('/')]
    return platformRank(
      { os: 'linux', architecture: a[0]!, variant: a[1] },
      { os: 'linux', architecture: b[0]!, variant: b[1] },
    )
  }
  t.true(rank('amd64/v3', 'x86_64/v3') > rank('amd64/v2', 'amd64/v3'))
  t.true(rank('amd64/v2', 'amd64/v3') > rank('amd64', 'amd64/v3'))
  t.is(rank('amd64/v3', 'amd64'), 0)
  t.true(rank('arm64', 'aarch64') > rank('arm/v7', 'arm64'))
  t.true(rank('arm/v7', 'arm64') > rank('armel', 'arm64'))
  t.true(rank('arm64/v8', 'arm64/8') > 0)
  t.is(rank('arm64', 'amd64'), 0)
  t.is(platformRank({ os: 'windows', architecture: 'amd64' }, { os: 'linux', architecture: 'amd64' }), 0)
})

test('the variant of a processor follows from its flags', (t) => {
  const levels = [
    'fpu sse sse2',
    'cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3',
    'abm avx avx2 bmi1 bmi2 f16c fma movbe xsave',
    'avx512f avx512bw avx512cd avx512dq avx512vl',
  ]
  for (const [index] of levels.entries()) {
    const flags = levels.slice(0, index + 1).join(' ')
    t.is(variantOf('amd64', `model name\t: x\nflags\t\t: ${flags}\nbugs\t: y\n`), `v${index + 1}`)
  }
  t.is(variantOf('amd64', `flags\t\t: ${levels[0]} ${levels[2]}\n`), 'v1', 'none is left out')
  t.is(variantOf('amd64', ''), 'v1')
  t.is(variantOf('arm64', 'flags: x'), undefined)
  t.true(
    platformRank({ os: 'linux', architecture: 'amd64' }, { ...thisMachine(), architecture: 'amd64' }) > 0,
  )
})

test('an image is found by tag, by digest, and alone', async (t) => {
  const path = scratch(t)
  writeLayout(path, [layer])
  const { digest } = await Image.open(`oci:${path}`)
  t.is((await Image.open(`oci:${path}:test`)).digest, digest)
  t.is((await Image.open(`oci:${path}@${digest}`)).digest, digest)
  t.is(await code(Image.open(`oci:${path}:other`)), 'ERR_IMAGE_NOT_FOUND')
  t.is(await code(Image.open(`oci:${path}@${sha256('other')}`)), 'ERR_IMAGE_NOT_FOUND')
  t.is(await code(Image.open(`oci:${path}/nowhere`)), 'ERR_IMAGE_NOT_FOUND')
})

test('several images are ambiguous, several tags of one image are not', async (t) => {
  const path = scratch(t)
  writeLayout(path, [layer])
  const [first] = (await (await Layout.open(path)).index()).manifests
  writeLayout(path, [layer, layer])
  editIndex(path, (index) => {
    index.manifests.push({ ...first, annotations: { 'org.opencontainers.image.ref.name': 'two' } })
  })
  const error = await t.throwsAsync<CaissonError>(Image.open(`oci:${path}`))
  t.is(error?.code, 'ERR_IMAGE_NOT_FOUND')
  t.regex(error?.message ?? '', /test, two/)
  t.is(await code(Image.open(`oci:${path}:two`)), 'opened')
  editIndex(path, (index) => {
    index.manifests[0] = { ...first, annotations: { 'org.opencontainers.image.ref.name': 'test' } }
  })
  t.is((await Image.open(`oci:${path}`)).digest, first!.digest)
})

test('an index inside an index is followed, attestations are passed over', async (t) => {
  const path = scratch(t)
  writeLayout(path, [layer])
  editIndex(path, (index) => {
    const [manifest] = index.manifests
    const inner = JSON.stringify({
      schemaVersion: 2,
      manifests: [
        { ...manifest, annotations: {}, platform: { os: 'unknown', architecture: 'unknown' } },
        { ...manifest, annotations: {}, platform: { os: 'linux', architecture: 'mips' } },
        { ...manifest, annotations: {}, platform: { os: 'linux', architecture: process.arch } },
      ],
    })
    writeFileSync(join(path, 'blobs/sha256', createHash('sha256').update(inner).digest('hex')), inner)
    index.manifests = [
      {
        mediaType: 'application/vnd.oci.image.index.v1+json',
        digest: sha256(inner),
        size: inner.length,
        annotations: { 'org.opencontainers.image.ref.name': 'multi' },
      },
    ]
  })
  t.is((await Image.open(`oci:${path}:multi`)).descriptor.platform?.architecture, process.arch)
  const error = await t.throwsAsync<CaissonError>(
    Image.open(`oci:${path}:multi`, { platform: 'linux/s390x' }),
  )
  t.is(error?.code, 'ERR_IMAGE_NOT_FOUND')
  t.regex(error?.message ?? '', /linux\/mips/)
  t.is(await code(Image.open(`oci:${path}:multi`, { platform: 'linux' })), 'ERR_INVALID_OPTION')
})

test('an image of another architecture is refused by its configuration', async (t) => {
  const path = scratch(t)
  writeLayout(path, [layer], { config: { architecture: 'mips' } })
  t.is(await code(Image.open(`oci:${path}:test`)), 'ERR_IMAGE_NOT_FOUND')
  t.is(await code(Image.open(`oci:${path}:test`, { platform: 'linux/mips' })), 'opened')
})

test('invalid documents are refused with every problem', async (t) => {
  const edits: [string, (index: Index) => unknown][] = [
    ['CVE-2021-41190: both manifests and layers', (index) => void (index['layers'] = [])],
    [
      'CVE-2024-3727: a digest that is a path',
      ({ manifests }) => void (manifests[0]!['digest'] = 'sha256:../../x'),
    ],
    ['a negative size', ({ manifests }) => void (manifests[0]!['size'] = -1)],
    ['a size beyond whole numbers', ({ manifests }) => void (manifests[0]!['size'] = 2 ** 60)],
    ['upper case', ({ manifests }) => void (manifests[0]!['digest'] = `sha256:${'A'.repeat(64)}`)],
    ['no list', (index) => void ((index as { manifests: unknown }).manifests = {})],
    ['another version', (index) => void (index['schemaVersion'] = 1)],
  ]
  for (const [title, edit] of edits) {
    const path = scratch(t)
    writeLayout(path, [layer])
    editIndex(path, edit)
    t.is(await code(Image.open(`oci:${path}:test`)), 'ERR_INVALID_IMAGE', title)
  }
  const path = scratch(t)
  writeLayout(path, [layer])
  writeFileSync(join(path, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}')
  t.is(await code(Image.open(`oci:${path}:test`)), 'ERR_INVALID_IMAGE')
})

test('a changed, longer or missing manifest has its own code', async (t) => {
  for (const [change, expected] of [
    [(text: string) => text.replace('2', '3'), 'ERR_DIGEST_MISMATCH'],
    [(text: string) => `${text} `, 'ERR_SIZE_MISMATCH'],
    [undefined, 'ERR_BLOB_NOT_FOUND'],
  ] as const) {
    const path = scratch(t)
    writeLayout(path, [layer])
    const { digest } = await Image.open(`oci:${path}:test`)
    const file = join(path, 'blobs/sha256', digest.slice(7))
    if (change) writeFileSync(file, change(readFileSync(file, 'utf8')))
    else rmSync(file)
    t.is(await code(Image.open(`oci:${path}:test`)), expected)
  }
})

test('the numbers of layers and diffIDs must match', async (t) => {
  const path = scratch(t)
  writeLayout(path, [layer], { config: { rootfs: { type: 'layers', diff_ids: [] } } })
  const image = await Image.open(`oci:${path}:test`)
  t.is(await code(image.unpackRootfs(join(path, 'rootfs'))), 'ERR_INVALID_IMAGE')
})

test('a layout is made once and opened again', async (t) => {
  const path = join(scratch(t), 'new')
  await Layout.create(path)
  t.deepEqual((await (await Layout.create(path)).index()).manifests, [])
  t.is((await Layout.open(path)).path, path)
})
