/** Validation of bundles, layouts, archives and single documents. */
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { validate, type ValidationReport } from '../../ts/index.ts'
import { formatRuntimeSpec } from '../../ts/spec/index.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { tar, type TestEntry } from '../image/fixture.ts'
import { configBase, indexBase, manifestBase, runtimeBase } from './base.ts'

const folder = scratch('validate')
let serial = 0
const fresh = (): string => {
  const path = join(folder, String(serial++))
  mkdirSync(path, { recursive: true })
  return path
}

/** `file: level: path: message` of everything that was found. */
function told({ documents }: ValidationReport): string[] {
  return documents.flatMap(({ file, errors, warnings }) => [
    ...errors.map(({ path, message }) => `${file}: error: ${path}: ${message}`),
    ...warnings.map(({ path, message }) => `${file}: warning: ${path}: ${message}`),
  ])
}

const blob = (content: string | Buffer): { digest: string; size: number; name: string; content: Buffer } => {
  const bytes = Buffer.from(content)
  const encoded = createHash('sha256').update(bytes).digest('hex')
  return { digest: `sha256:${encoded}`, size: bytes.length, name: `blobs/sha256/${encoded}`, content: bytes }
}

/** The files of a layout with one image; `change` may spoil its documents before they are written. */
function layoutFiles(
  change: (parts: { config: any; manifest: any; index: any; header: any }) => void = () => {},
  leaveOut: string[] = [],
): { name: string; content: Buffer | string }[] {
  const layer = blob(tar([{ name: 'etc/hello', content: 'hello\n' }]))
  const config = { ...configBase(), rootfs: { type: 'layers', diff_ids: [layer.digest] }, history: [] }
  const manifest = manifestBase()
  const index = indexBase()
  const header = { imageLayoutVersion: '1.0.0' }
  change({ config, manifest, index, header })
  const stored = blob(JSON.stringify(config))
  manifest.config = { ...manifest.config, digest: stored.digest, size: stored.size }
  manifest.layers = [
    { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer.digest, size: layer.size },
    ...manifest.layers.slice(1),
  ]
  const named = blob(JSON.stringify(manifest))
  index.manifests[0] = { ...index.manifests[0]!, digest: named.digest, size: named.size }
  const all = [
    { name: 'oci-layout', content: JSON.stringify(header) },
    { name: 'index.json', content: JSON.stringify(index) },
    stored,
    named,
    layer,
  ]
  return all.filter(({ name, content }) => !leaveOut.some((word) => name === word || content.includes(word)))
}

function directory(files: readonly { name: string; content: Buffer | string }[]): string {
  const root = fresh()
  for (const { name, content } of files) {
    mkdirSync(join(root, name, '..'), { recursive: true })
    writeFileSync(join(root, name), content)
  }
  return root
}

function archive(files: readonly TestEntry[], compress = false): string {
  const path = join(fresh(), 'image.tar')
  writeFileSync(path, compress ? gzipSync(tar(files)) : tar(files))
  return path
}

function bundle(change: (spec: any) => void = () => {}): string {
  const root = fresh()
  const spec = runtimeBase()
  change(spec)
  mkdirSync(join(root, 'rootfs'))
  writeFileSync(join(root, 'config.json'), formatRuntimeSpec(spec, 2))
  return root
}

test('a valid bundle', async (t) => {
  const report = await validate(bundle())
  t.deepEqual([report.kind, report.valid, told(report)], ['bundle', true, []])
})

test('a bundle is to be run: more is asked of it than of its document', async (t) => {
  const path = bundle((spec) => (spec.ociVersion = '2.0.0'))
  t.deepEqual(told(await validate(path)), [
    'config.json: error: ociVersion: "2.0.0" is not supported; versions 1.x are',
  ])
  const document = await validate(join(path, 'config.json'))
  t.deepEqual([document.kind, document.valid], ['document', true])
})

test('problems of a bundle have their line and column', async (t) => {
  const report = await validate(
    bundle((spec) => {
      spec.root.path = 'elsewhere'
      spec.process.cwd = 'x'
      spec.process.env.push('X')
    }),
  )
  t.false(report.valid)
  t.deepEqual(told(report), ['config.json: error: process.cwd: Cwd must be an absolute path'])
  const [error] = report.documents[0]!.errors
  t.deepEqual([error?.line, error?.column], [23, 12])
  const other = await validate(
    bundle((spec) => {
      spec.root.path = 'elsewhere'
      spec.process.env.push('X')
    }),
  )
  t.deepEqual(told(other), [
    'config.json: error: root.path: "elsewhere" is not a directory of the bundle (config.md, "Root")',
    'config.json: warning: process.env[1]: "X" is not NAME=value',
  ])
  t.is(typeof other.documents[0]!.warnings[0]!.line, 'number')
})

const places: [kind: string, make: (files: { name: string; content: Buffer | string }[]) => string][] = [
  ['layout', directory],
  ['oci-archive', (files) => archive(files)],
  ['oci-archive', (files) => archive(files, true)],
]
for (const [index, [kind, make]] of places.entries()) {
  test(`${index} ${kind}: every document and blob is looked at`, async (t) => {
    const report = await validate(make(layoutFiles()))
    t.deepEqual([report.kind, report.valid, told(report)], [kind, true, []])
    t.deepEqual(
      report.documents.map((document) => document.kind),
      ['layout header', 'image index', 'image manifest', 'image configuration', 'layer'],
    )
  })

  test(`${index} ${kind}: problems are reported at their file`, async (t) => {
    const report = await validate(
      make(
        layoutFiles(({ config, manifest, header }) => {
          header.imageLayoutVersion = '2'
          manifest.annotations = { a: 5 }
          config.rootfs.diff_ids.push(config.rootfs.diff_ids[0])
        }),
      ),
    )
    const lines = told(report)
    t.is(lines.length, 2, lines.join('\n'))
    t.true(lines[0]!.startsWith('oci-layout: error: imageLayoutVersion: must be "1.0.0"'))
    t.regex(lines[1]!, /^blobs\/sha256\/\w+: error: annotations\.a: must be a text, not 5$/)
  })

  test(`${index} ${kind}: layers against diff_ids`, async (t) => {
    const report = await validate(
      make(layoutFiles(({ config }) => config.rootfs.diff_ids.push(config.rootfs.diff_ids[0]))),
    )
    t.regex(told(report).join(), /error: layers: has 1 layers, but the configuration has 2 diff_ids$/)
  })

  test(`${index} ${kind}: a missing blob is a warning, a missing index is not`, async (t) => {
    const without = await validate(make(layoutFiles(undefined, ['etc/hello'])))
    t.true(without.valid)
    t.regex(told(without).join(), /warning: : blob sha256:\w+ is missing/)
    const nothing = await validate(make(layoutFiles(undefined, ['index.json'])))
    t.deepEqual(told(nothing), ['index.json: error: : is missing'])
  })

  test(`${index} ${kind}: blobs are verified`, async (t) => {
    const files = layoutFiles().map((file) =>
      file.content.includes('etc/hello') && typeof file.content !== 'string'
        ? { ...file, content: Buffer.from(file.content.map((byte, at) => (at === 600 ? byte ^ 1 : byte))) }
        : file,
    )
    const report = await validate(make(files))
    t.regex(told(report).join(), /error: : blob sha256:\w+ has the digest sha256:\w+$/)
    const longer = layoutFiles().map(({ name, content }) => ({
      name,
      content: name.startsWith('blobs') ? Buffer.concat([Buffer.from(content), Buffer.from(' ')]) : content,
    }))
    t.regex(
      told(await validate(make(longer))).join(),
      /error: : blob sha256:\w+ has \d+ bytes, its descriptor says \d+$/,
    )
  })
}

test('an index that leads to itself by another name ends', async (t) => {
  const inner = blob(JSON.stringify({ ...indexBase(), manifests: [] }))
  const entry = {
    mediaType: 'application/vnd.oci.image.index.v1+json',
    digest: inner.digest,
    size: inner.size,
  }
  const top = { ...indexBase(), manifests: [entry, entry] }
  const report = await validate(
    directory([
      { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
      { name: 'index.json', content: JSON.stringify(top) },
      inner,
    ]),
  )
  t.deepEqual([report.valid, report.documents.length], [true, 3])
})

test('an archive of docker save', async (t) => {
  const layer = tar([{ name: 'x', content: 'y' }])
  const config = JSON.stringify({
    ...configBase(),
    docker_version: '26',
    config: { OnBuild: null, Healthcheck: { Interval: '30s' } },
    rootfs: { type: 'layers', diff_ids: [blob(layer).digest] },
  })
  const manifest = [{ Config: 'c.json', RepoTags: null, Layers: ['l/layer.tar', 'gone.tar'] }]
  const report = await validate(
    archive([
      { name: 'c.json', content: config },
      { name: 'l/layer.tar', content: layer },
      { name: 'manifest.json', content: JSON.stringify(manifest) },
    ]),
  )
  t.deepEqual([report.kind, report.valid], ['docker-archive', false])
  t.deepEqual(told(report), [
    'manifest.json: error: [0].Layers[1]: names "gone.tar", which is not in the archive',
    'c.json: error: config.Healthcheck.Interval: must be a whole number from -9223372036854775808 to 9223372036854775807, not "30s"',
  ])
})

const single: [kind: string, document: object][] = [
  ['config.json', runtimeBase()],
  ['state', { ociVersion: '1.0.2', id: 'a', status: 'running', pid: 5, bundle: '/b' }],
  ['features', { ociVersionMin: '1.0.0', ociVersionMax: '1.3.0' }],
  ['oci-layout', { imageLayoutVersion: '1.0.0' }],
  ['index', indexBase()],
  ['manifest', manifestBase()],
  ['config', configBase()],
  ['descriptor', manifestBase().config],
  [
    'docker-manifest',
    { ...manifestBase(), mediaType: 'application/vnd.docker.distribution.manifest.v2+json' },
  ],
  [
    'docker-manifest-list',
    { ...indexBase(), mediaType: 'application/vnd.docker.distribution.manifest.list.v2+json' },
  ],
  ['docker-config', { ...configBase(), docker_version: '26' }],
  ['docker-archive', [{ Config: 'a', RepoTags: [], Layers: [] }]],
]
for (const [kind, document] of single) {
  test(`a single ${kind} is recognised by its content`, async (t) => {
    const path = join(fresh(), 'document')
    writeFileSync(path, formatRuntimeSpec(document as never))
    for (const asked of [undefined, kind]) {
      const report = await validate(path, { kind: asked })
      t.deepEqual([report.kind, report.documents[0]!.kind, told(report)], ['document', kind, []])
    }
  })
}

test('an unknown document is reported as such', async (t) => {
  const path = join(fresh(), 'x.json')
  writeFileSync(path, '{"a":1}')
  t.regex(told(await validate(path)).join(), /unknown kind of document/)
  writeFileSync(path, '{"a":1')
  t.regex(told(await validate(path)).join(), /is not valid JSON/)
  t.regex(told(await validate(path, { kind: 'config' })).join(), /is not valid JSON/)
})

test('an image without layers is a warning, whatever else is wrong an error', async (t) => {
  const path = join(fresh(), 'manifest.json')
  writeFileSync(path, JSON.stringify({ ...manifestBase(), layers: [] }))
  const report = await validate(path)
  t.true(report.valid)
  t.regex(report.documents[0]!.warnings[0]!.message, /at least one descriptor/)
  writeFileSync(path, JSON.stringify({ ...manifestBase(), layers: [], annotations: null }))
  const wrong = (await validate(path)).documents[0]!
  t.deepEqual([wrong.errors.map(({ path }) => path), wrong.warnings.length], [['annotations'], 1])
})

test('the lenient mode takes what is read', async (t) => {
  const path = join(fresh(), 'manifest.json')
  writeFileSync(path, JSON.stringify({ ...manifestBase(), layers: null }))
  t.false((await validate(path)).valid)
  t.true((await validate(path, { mode: 'lenient' })).valid)
})

test('unreadable input is an error', async (t) => {
  const empty = fresh()
  await t.throwsAsync(validate(empty), { code: 'ERR_INVALID_BUNDLE' } as never)
  await t.throwsAsync(validate(join(empty, 'none')), {
    code: 'ERR_INVALID_OPTION',
    message: /does not exist/,
  } as never)
  await t.throwsAsync(validate(bundle(), { kind: 'x' }), {
    code: 'ERR_INVALID_OPTION',
    message: /config\.json, state/,
  } as never)
  await t.throwsAsync(validate(archive([{ name: 'etc/passwd' }])), { code: 'ERR_UNSUPPORTED_IMAGE' } as never)
  const large = join(fresh(), 'large')
  writeFileSync(large, Buffer.alloc((4 << 20) + 1, ' '))
  await t.throwsAsync(validate(large), { code: 'ERR_LIMIT_EXCEEDED' } as never)
})
