/** Every rule for image documents, OCI's and Docker's: its path, message and mode. */
import { createHash } from 'node:crypto'
import test from 'ava'
import {
  imageProblems,
  parseImageConfig,
  parseImageIndex,
  parseImageManifest,
  safeParseDescriptor,
  safeParseDockerArchiveManifest,
  safeParseDockerImageConfig,
  safeParseDockerManifest,
  safeParseDockerManifestList,
  safeParseImageConfig,
  safeParseImageIndex,
  safeParseImageManifest,
  safeParseLayoutHeader,
  type DocumentInput,
  type ParseOptions,
  type ParseResult,
} from '../../ts/spec/index.ts'
import { configBase, DIGEST, indexBase, manifestBase, type Change } from './base.ts'

type Parse = (input: DocumentInput, options?: ParseOptions) => ParseResult<object>
const content = Buffer.from('{"a":1}')
const embedded = {
  mediaType: 'application/json',
  digest: `sha256:${createHash('sha256').update(content).digest('hex')}`,
  size: content.length,
  data: content.toString('base64'),
}
const dockerManifest = {
  ...manifestBase(),
  mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
  annotations: undefined,
}
const dockerList = { ...indexBase(), mediaType: 'application/vnd.docker.distribution.manifest.list.v2+json' }
const dockerConfig = {
  ...configBase(),
  docker_version: '26.1',
  container_config: { Hostname: 'x' },
  config: {
    ...configBase().config,
    Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 3e10, Timeout: 3e9, StartPeriod: 0, Retries: 3 },
    OnBuild: null,
    Shell: ['/bin/sh', '-c'],
  },
}
const archive = [{ Config: 'abc.json', RepoTags: ['a:b'], Layers: ['x/layer.tar'] }]

const kinds: Record<string, [parse: Parse, base: () => object]> = {
  descriptor: [safeParseDescriptor, () => ({ ...embedded })],
  index: [safeParseImageIndex, indexBase],
  manifest: [safeParseImageManifest, manifestBase],
  config: [safeParseImageConfig, configBase],
  header: [safeParseLayoutHeader, () => ({ imageLayoutVersion: '1.0.0' })],
  'docker manifest': [safeParseDockerManifest, () => structuredClone(dockerManifest)],
  'docker list': [safeParseDockerManifestList, () => structuredClone(dockerList)],
  'docker config': [safeParseDockerImageConfig, () => structuredClone(dockerConfig)],
  'docker archive': [safeParseDockerArchiveManifest, () => structuredClone(archive)],
}

type Case = [kind: string, path: string, words: string, change: Change]

/** Refused in both modes. */
const errors: Case[] = [
  ['descriptor', 'mediaType', 'media type such as', (d) => (d.mediaType = 'text/plain; charset=utf-8')],
  ['descriptor', 'mediaType', 'is missing', (d) => delete d.mediaType],
  [
    'descriptor',
    'digest',
    '64 digits',
    (d) => (d.digest = d.digest.toUpperCase().replace('SHA256', 'sha256')),
  ],
  ['descriptor', 'digest', 'a digest such as', (d) => (d.digest = 'sha256')],
  ['descriptor', 'digest', '64 digits', (d) => (d.digest = 'blake3:ab')],
  ['descriptor', 'digest', 'a digest such as', (d) => (d.digest = 'sha256:../../etc/passwd')],
  ['descriptor', 'size', 'whole number', (d) => (d.size = -1)],
  ['descriptor', 'size', 'not 9007199254740992', (d) => (d.size = 2 ** 53)],
  ['descriptor', 'urls[0]', 'absolute URI', (d) => (d.urls = ['value'])],
  ['descriptor', 'data', 'base64 with padding', (d) => (d.data = 'e30')],
  ['descriptor', 'annotations.a', 'must be a text, not 1', (d) => (d.annotations = { a: 1 })],
  ['descriptor', 'artifactType', 'media type', (d) => (d.artifactType = 'x')],
  ['descriptor', 'platform.os', 'is missing', (d) => (d.platform = { architecture: 'arm' })],
  [
    'descriptor',
    'platform["os.features"][0]',
    'a text',
    (d) => (d.platform = { architecture: 'arm', os: 'x', 'os.features': [1] }),
  ],
  ['index', 'schemaVersion', 'must be 2, not 1', (d) => (d.schemaVersion = 1)],
  ['index', 'manifests[0].digest', '64 digits', (d) => (d.manifests[0].digest = 'sha256:x')],
  ['index', 'manifests', 'must be a list, not an object', (d) => (d.manifests = {})],
  ['index', '', 'ambiguous', (d) => (d.layers = [])],
  [
    'index',
    'mediaType',
    'Docker counterpart',
    (d) => (d.mediaType = 'application/vnd.oci.image.manifest.v1+json'),
  ],
  ['manifest', 'config', 'is missing', (d) => delete d.config],
  ['manifest', 'config.size', 'whole number', (d) => (d.config.size = '1470')],
  ['manifest', 'layers[0]', 'must be an object, not 5', (d) => (d.layers[0] = 5)],
  ['manifest', '', 'ambiguous', (d) => (d.manifests = [])],
  [
    'manifest',
    'mediaType',
    'Docker counterpart',
    (d) => (d.mediaType = 'application/vnd.oci.image.index.v1+json'),
  ],
  [
    'manifest',
    'subject.digest',
    '64 digits',
    (d) => (d.subject = { ...embedded, digest: 'sha256:' + 'g'.repeat(64) }),
  ],
  ['manifest', 'annotations.key', 'a text', (d) => (d.annotations.key = 1)],
  ['config', 'architecture', 'is missing', (d) => delete d.architecture],
  ['config', 'os', 'must be a text', (d) => (d.os = 5)],
  ['config', 'rootfs', 'is missing', (d) => delete d.rootfs],
  ['config', 'rootfs.type', '"layers", not "overlay"', (d) => (d.rootfs.type = 'overlay')],
  ['config', 'rootfs.diff_ids[0]', 'a digest such as', (d) => (d.rootfs.diff_ids[0] = 'abc')],
  ['config', 'rootfs.diff_ids[0]', '96 digits', (d) => (d.rootfs.diff_ids[0] = 'sha384:abc')],
  ['config', 'config.Env[0]', 'a text', (d) => (d.config.Env = [7353])],
  ['config', 'config.Volumes', 'must be an object or null, not a list', (d) => (d.config.Volumes = ['/x'])],
  ['config', 'config.Volumes["/x"]', 'must be an object', (d) => (d.config.Volumes = { '/x': true })],
  ['config', 'config.User', 'a text', (d) => (d.config.User = 1234)],
  ['config', 'history', 'must be a list', (d) => (d.history = 'no')],
  ['header', 'imageLayoutVersion', '"1.0.0", not "2.0.0"', (d) => (d.imageLayoutVersion = '2.0.0')],
  ['docker manifest', 'mediaType', 'is missing', (d) => delete d.mediaType],
  ['docker list', '', 'ambiguous', (d) => (d.config = {})],
  ['docker config', 'config.Healthcheck.Test[0]', 'a text', (d) => (d.config.Healthcheck.Test = [1])],
  [
    'docker config',
    'config.Healthcheck.Interval',
    'whole number',
    (d) => (d.config.Healthcheck.Interval = '30s'),
  ],
  ['docker config', 'config.Shell', 'a list', (d) => (d.config.Shell = '/bin/sh')],
  ['docker archive', '[0].Config', 'inside the archive', (d) => (d[0].Config = '../x')],
  ['docker archive', '[0].Layers[0]', 'inside the archive', (d) => (d[0].Layers = ['/etc/passwd'])],
  ['docker archive', '[0].Layers', 'is missing', (d) => delete d[0].Layers],
]

/** Refused by the strict mode alone. */
const strictErrors: Case[] = [
  ['descriptor', 'data', 'size says 8', (d) => (d.size = 8)],
  ['descriptor', 'data', 'not what digest names', (d) => (d.digest = DIGEST)],
  ['descriptor', 'urls', 'not null', (d) => (d.urls = null)],
  ['descriptor', 'annotations', 'without an empty key', (d) => (d.annotations = { '': 'x' })],
  ['descriptor', 'platform.os', 'a name', (d) => (d.platform = { architecture: 'arm', os: 'a b' })],
  ['index', 'manifests', 'not null', (d) => (d.manifests = null)],
  ['index', 'manifests', 'is missing', (d) => delete d.manifests],
  ['index', 'mediaType', 'application/vnd.oci.image.index', (d) => (d.mediaType = dockerList.mediaType)],
  ['index', 'mediaType', 'application/vnd.oci.image.index', (d) => (d.mediaType = 'application/x')],
  ['manifest', 'layers', 'at least one descriptor', (d) => (d.layers = [])],
  ['manifest', 'layers', 'not null', (d) => (d.layers = null)],
  [
    'manifest',
    'mediaType',
    'application/vnd.oci.image.manifest',
    (d) => (d.mediaType = dockerManifest.mediaType),
  ],
  [
    'manifest',
    'artifactType',
    'the type of the artifact',
    (d) => (d.config.mediaType = 'application/vnd.oci.empty.v1+json'),
  ],
  ['config', 'created', 'RFC 3339', (d) => (d.created = '2015-02-30T00:00:00Z')],
  ['config', 'history[0].created', 'RFC 3339', (d) => (d.history[0].created = 'yesterday')],
  ['config', 'author', 'not null', (d) => (d.author = null)],
  ['config', 'config', 'not null', (d) => (d.config = null)],
  ['config', 'config.User', 'not null', (d) => (d.config.User = d.config.Cmd = null)],
  ['config', 'config.ExposedPorts', 'not null', (d) => (d.config.ExposedPorts = null)],
  ['config', 'rootfs.diff_ids', 'not null', (d) => (d.rootfs.diff_ids = null)],
  ['config', 'config.Env[3]', 'NAME=value', (d) => d.config.Env.push('PATH')],
  ['config', 'architecture', 'a name', (d) => (d.architecture = '')],
  ['docker list', 'manifests[0].platform', 'is missing', (d) => delete d.manifests[0].platform],
  ['docker manifest', 'mediaType', 'vnd.docker.distribution', (d) => (d.mediaType = 'application/x')],
]

const warnings: Case[] = [
  [
    'index',
    'manifests[0].annotations["org.opencontainers.image.ref.name"]',
    'invalid reference name',
    (d) => (d.manifests[0].annotations['org.opencontainers.image.ref.name'] = 'a b'),
  ],
  ['config', 'history', 'has 1 layers, but rootfs.diff_ids has 2', (d) => d.history.pop()],
  [
    'config',
    'config.ExposedPorts["80-90/tcp"]',
    'expected port, port/tcp',
    (d) => (d.config.ExposedPorts = { '80-90/tcp': {} }),
  ],
  ['config', 'config.WorkingDir', 'relative', (d) => (d.config.WorkingDir = 'app')],
  ['config', 'config.User', 'expected user, uid', (d) => (d.config.User = 'a:b:c')],
  ['config', 'config.StopSignal', 'SIGTERM', (d) => (d.config.StopSignal = '15')],
]

function issuesOf(
  kind: string,
  change: Change,
  options: ParseOptions,
): { errors: string[]; warnings: string[] } {
  const [parse, base] = kinds[kind]!
  const document = base()
  change(document)
  const result = parse(document, options)
  const lines = (issues: readonly { path: string; message: string }[]): string[] =>
    issues.map(({ path, message }) => `${path}: ${message}`)
  return result.success
    ? { errors: [], warnings: lines(result.warnings) }
    : { errors: lines(result.error.issues), warnings: [] }
}

const has = (lines: string[], path: string, words: string): boolean =>
  lines.some((line) => line.startsWith(`${path}: `) && line.includes(words))

for (const kind of Object.keys(kinds)) {
  test(`the ${kind} of the base is valid`, (t) => {
    t.deepEqual(
      issuesOf(kind, () => {}, { mode: 'lenient' }),
      { errors: [], warnings: [] },
    )
    t.deepEqual(
      issuesOf(kind, () => {}, { mode: 'strict' }),
      { errors: [], warnings: [] },
    )
  })
}
for (const [index, [kind, path, words, change]] of errors.entries()) {
  test(`${index} ${kind} ${path}: ${words}: is an error in both modes`, (t) => {
    for (const mode of ['lenient', 'strict'] as const) {
      const { errors } = issuesOf(kind, change, { mode })
      // Strict mode has a more specific message for media types.
      const expected = mode === 'strict' && path === 'mediaType' && words.startsWith('Docker') ? '' : words
      t.true(has(errors, path, expected), errors.join('\n') || 'accepted')
    }
  })
}
for (const [index, [kind, path, words, change]] of strictErrors.entries()) {
  test(`${index} ${kind} ${path}: ${words}: is an error where it is written, not where it is read`, (t) => {
    const { errors } = issuesOf(kind, change, { mode: 'strict' })
    t.true(has(errors, path, words), errors.join('\n') || 'accepted')
    t.deepEqual(issuesOf(kind, change, { mode: 'lenient' }).errors, [])
  })
}
for (const [index, [kind, path, words, change]] of warnings.entries()) {
  test(`${index} ${kind} ${path}: ${words}: is a warning`, (t) => {
    const { errors, warnings } = issuesOf(kind, change, { mode: 'strict' })
    t.deepEqual(errors, [])
    t.true(has(warnings, path, words), warnings.join('\n') || 'no warning')
  })
}

test('a document that says it is something else than it was referenced as is refused', (t) => {
  const referenced = (mediaType: string) => safeParseImageManifest(manifestBase(), { mediaType }).success
  t.true(referenced('application/vnd.oci.image.manifest.v1+json'))
  t.false(referenced('application/vnd.docker.distribution.manifest.v2+json'))
  const { mediaType: _, ...silent } = manifestBase()
  t.true(safeParseImageManifest(silent, { mediaType: 'application/vnd.oci.image.manifest.v1+json' }).success)
})

test('digests of unknown algorithms pass by their grammar', (t) => {
  for (const digest of [
    'sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564',
    'multihash+base58:QmRZxt2b',
    'a:b',
  ]) {
    t.true(safeParseDescriptor({ ...embedded, data: undefined, digest }, { mode: 'strict' }).success, digest)
  }
})

test('a lenient reader gets empty lists for missing ones, and no nulls', (t) => {
  const index = parseImageIndex('{"schemaVersion":2,"manifests":null,"annotations":null,"x":null}')
  t.deepEqual(index, { schemaVersion: 2, manifests: [], x: null } as never)
  const manifest = parseImageManifest({ ...manifestBase(), layers: null, subject: null })
  t.deepEqual([manifest.layers, 'subject' in manifest], [[], false])
  const config = parseImageConfig(
    '{"os":"","architecture":"","rootfs":{"type":"layers","diff_ids":null},"config":{"Cmd":null,"X":null}}',
  )
  t.deepEqual([config.rootfs.diff_ids, config.config], [[], { X: null }])
})

test('an object is not changed, and unknown properties stay', (t) => {
  const document = { ...manifestBase(), layers: null, 'com.example': { deep: [null] } }
  const copy = structuredClone(document)
  const manifest = parseImageManifest(document)
  t.deepEqual(document, copy)
  t.is(manifest['com.example'], document['com.example'])
})

test('what keeps manifest and configuration from being one image', (t) => {
  const manifest = manifestBase()
  t.deepEqual(
    imageProblems(manifest, configBase()).map(({ path, message }) => `${path}: ${message}`),
    ['layers: has 1 layers, but the configuration has 2 diff_ids'],
  )
  manifest.layers.push({ mediaType: 'text/plain', digest: DIGEST, size: 1 })
  manifest.config.mediaType = 'application/x'
  t.deepEqual(
    imageProblems(manifest, configBase()).map(({ path }) => path),
    ['config.mediaType', 'layers[1].mediaType'],
  )
})
