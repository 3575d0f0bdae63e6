/**
 * Plain JavaScript may pass anything as an option: an invalid one is refused by name, with this package's error, before
 * anything is made, removed or changed on disk.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  CaissonError,
  changesSince,
  copyImage,
  copyImages,
  defaultSpec,
  Image,
  Layout,
  parseReference,
  removeUnpacked,
  snapshot,
  Store,
  validate,
} from '../../ts/index.ts'
import { scratch } from '../fixtures/rootfs.ts'

const base = scratch('options')
const images = join(base, 'images')
const fresh = join(base, 'fresh')
const tree = join(base, 'tree')
const store = new Store({ root: join(base, 'store') })
mkdirSync(tree)
writeFileSync(join(tree, 'file'), 'content')
const entries = [{ path: '/a', content: 'a' }]
const image = await Image.build({ layout: images, tag: 'a', layers: [{ entries }] })
const layout = await Layout.open(images)
const manifest = join(base, 'manifest')
await snapshot(tree, manifest)

/** Values that no option accepts. */
const KINDS = {
  flag: ['true', 1, 0, null, [], {}],
  text: [1, true, null, ['a'], {}],
  path: ['', 'a\0b', 1, null, ['a'], {}],
  /** From 0 up. */
  count: [-1, 1.5, Number.NaN, Infinity, '1', 1n, null, [1], true],
  /** From 1 up. */
  positive: [0, -1, 1.5, Number.NaN, Infinity, '1', 1n, null, [1]],
  number: [-1, Number.NaN, Infinity, '1', null, [1]],
  callback: [true, 'f', {}, null],
  signal: [true, 'abort', {}, null, new AbortController()],
  texts: ['a', [1], [null], [undefined], null, {}],
  policy: ['never', '', 1, null, true],
  platform: ['', 'linux', 1, null, [], {}, { os: 'linux' }, { os: 1, architecture: 'arm64' }],
  mappings: [
    'all',
    1,
    null,
    {},
    { uidMappings: [], gidMappings: [] },
    { uidMappings: [null], gidMappings: [null] },
  ],
  limits: [
    1,
    null,
    [],
    { bytes: 0 },
    { entries: '5' },
    { depth: Number.NaN },
    { ratio: Infinity },
    { byte: 5 },
  ],
  history: [true, 'text', null, [], { comment: 1 }, { created: 'yesterday' }, { by: 'me' }],
  patch: ['text', 1, null, []],
  annotations: ['text', null, ['a'], { '': 'a' }, { a: 1 }, { a: ['b'] }],
  layout: ['', 1, null, [], {}, undefined],
  ranges: [
    1,
    null,
    {},
    [null],
    [{}],
    [{ container: 0, host: 0, size: -1 }],
    [{ container: 0, host: 0, size: 1, to: 1 }],
  ],
} as const satisfies Record<string, readonly unknown[]>
type Kind = keyof typeof KINDS | readonly unknown[]

const WRITTEN = {
  layout: 'layout',
  tag: [1, true, null, ['a'], '', 'a b'],
  signal: 'signal',
} as const
const PACKED = {
  ...WRITTEN,
  compression: ['bzip2', '', 1, null, true],
  level: ['1', 0, -1, 20, 1.5, Number.NaN, Infinity, null],
  threads: 'positive',
  onProgress: 'callback',
} as const
const UNPACKED = {
  devices: 'policy',
  owners: 'policy',
  xattrs: [...KINDS.policy, 'placeholder'],
  idMappings: 'mappings',
  limits: 'limits',
  signal: 'signal',
  onProgress: 'callback',
} as const
const BUNDLE = {
  args: 'texts',
  env: ['A=b', null, ['A=b'], { A: 1 }, { A: null }, { '': 'a' }, { 'A=B': 'c' }, { A: 'a\0b' }],
  cwd: [1, null, '', 'relative', ['/']],
  user: [0, null, {}, ['root']],
  hostname: [1, null, '', ['a']],
  rootless: 'flag',
  terminal: 'flag',
  readonly: 'flag',
  idMappings: 'mappings',
} as const
const TREE = {
  exclude: 'texts',
  uid: 'count',
  gid: 'count',
  uidMap: 'ranges',
  gidMap: 'ranges',
  rootless: 'flag',
} as const
const epoch = [...KINDS.count, 253_402_300_800]

interface Call {
  /** Bypasses the types of options. */
  call: (options: never) => unknown
  /** Valid options of the call. */
  given?: object
  options: Readonly<Record<string, Kind>>
}

const calls: Readonly<Record<string, Call>> = {
  'Image.open': {
    call: (options) => Image.open(`oci:${images}:a`, options),
    options: { platform: 'platform', anyPlatform: 'flag', limits: 'limits', signal: 'signal' },
  },
  'Image.from': {
    call: (options) => Image.from(layout, image.descriptor, options),
    options: { limits: 'limits' },
  },
  'Image.fromHost': {
    call: (options) => Image.fromHost(options),
    given: { layout: fresh },
    options: {
      ...WRITTEN,
      programs: ['sh', [1], [''], null],
      command: ['sh', [1], null],
    },
  },
  'Image.build': {
    call: (options) => Image.build(options),
    given: { layout: fresh, layers: [{ entries }] },
    options: {
      ...PACKED,
      sourceDateEpoch: epoch,
      layers: ['a', null, {}, [null], ['a'], [{}], [{ entry: [] }]],
      config: 'patch',
      annotations: 'annotations',
      history: 'history',
      createdBy: 'text',
      platform: ['linux/arm64', 1, null, [], {}, { os: 'linux' }],
      from: [1, null, {}, '', []],
      limits: 'limits',
    },
  },
  'image.squash': {
    call: (options) => image.squash(options),
    given: { layout: fresh },
    options: {
      ...PACKED,
      sourceDateEpoch: epoch,
      keep: [...KINDS.count, 2],
      history: 'history',
      createdBy: 'text',
    },
  },
  'image.rebase': {
    call: (options) => image.rebase(image, image, options),
    given: { layout: fresh },
    options: { ...WRITTEN, sourceDateEpoch: epoch },
  },
  'image.convert': {
    call: (options) => image.convert(options),
    given: { layout: fresh },
    options: { ...PACKED, mediaTypes: ['OCI', '', 1, null] },
  },
  'image.unpack': {
    call: (options) => image.unpack(fresh, options),
    given: { args: ['sh'] },
    options: { ...UNPACKED, keepDirlinks: 'flag', ...BUNDLE },
  },
  'image.unpackRootfs': {
    call: (options) => image.unpackRootfs(fresh, options),
    options: { ...UNPACKED, keepDirlinks: 'flag', rootless: 'flag' },
  },
  'image.runtimeConfig': {
    call: (options) => image.runtimeConfig(options),
    given: { args: ['sh'] },
    options: { ...BUNDLE, rootfs: 'path' },
  },
  'image.diff': {
    call: (options) => image.diff(image, options),
    options: { files: 'flag', signal: 'signal' },
  },
  'image.verify': { call: (options) => image.verify(options), options: { signal: 'signal' } },
  'image.exportRootfs': {
    call: (options) => image.exportRootfs(options),
    options: { path: 'path', sourceDateEpoch: epoch, signal: 'signal', onProgress: 'callback' },
  },
  'image.readFile': { call: (options) => image.readFile('/a', options), options: { signal: 'signal' } },
  copyImage: {
    call: (options) => copyImage(`oci:${images}:a`, options),
    given: { layout: fresh },
    options: {
      ...WRITTEN,
      onProgress: 'callback',
      to: [1, null, {}, '', 'nowhere:x', `oci:${fresh}`],
      platforms: ['linux/arm64', null, [1], [null], [''], [{}]],
      overwrite: 'flag',
      limits: 'limits',
    },
  },
  'layout.collectGarbage': {
    call: (options) => layout.collectGarbage(options),
    options: { dryRun: 'flag', signal: 'signal' },
  },
  snapshot: {
    call: (options) => snapshot(tree, join(base, 'new'), options),
    options: { ...TREE, signal: 'signal', onProgress: 'callback' },
  },
  changesSince: {
    call: (options) => changesSince(manifest, tree, options),
    options: { ...TREE, mask: 'texts', signal: 'signal', onProgress: 'callback' },
  },
  removeUnpacked: { call: (options) => removeUnpacked(tree, options), options: { idMappings: 'mappings' } },
  validate: {
    call: (options) => validate(images, options),
    options: { mode: 'policy', kind: ['x', ...KINDS.text] },
  },
  defaultSpec: { call: (options) => defaultSpec(options), options: { rootless: 'flag' } },
  'new Store': {
    call: (options) => new Store(options),
    given: { root: fresh },
    options: { root: 'path', durability: 'policy', workers: 'positive' },
  },
  'store.import': {
    call: (options) => store.import(`oci:${images}:a`, options),
    options: { ...UNPACKED, onLayer: 'callback', name: [...KINDS.text, '', 'a b'] },
  },
  'store.prepare': {
    call: (options) => store.prepare(image, options),
    options: { ...UNPACKED, onLayer: 'callback' },
  },
  'store.gc': { call: (options) => store.gc(options), options: { unusedFor: 'number', signal: 'signal' } },
  'store.verify': {
    call: (options) => store.verify(options),
    options: { contents: 'flag', signal: 'signal' },
  },
  'store.repair': {
    call: (options) => store.repair(options),
    options: { ...UNPACKED, onLayer: 'callback', contents: 'flag' },
  },
}

/** Every path below the scratch directory, with its type and content. */
function contents(directory = base): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => {
      const path = join(directory, name)
      const status = statSync(path)
      return status.isFile() ? `${name} ${readFileSync(path, 'latin1')}` : name
    })
    .sort()
}

/** The outcome of a call; streams fail when they are made, or not at all. */
async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    await call()
    return 'was accepted'
  } catch (error) {
    return error
  }
}

async function refused(t: ExecutionContext, what: string, names: RegExp, call: () => unknown): Promise<void> {
  const before = contents()
  const error = await outcomeOf(call)
  if (!(error instanceof CaissonError)) return t.fail(`${what}: ${String(error)}`)
  t.is(error.code, 'ERR_INVALID_OPTION', `${what}: ${error.message}`)
  t.regex(error.message, names, what)
  t.deepEqual(contents(), before, what)
}

const shown = (value: unknown): string =>
  typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value))

for (const [name, { call, given = {}, options }] of Object.entries(calls)) {
  test(`${name}: invalid values of options are refused`, async (t) => {
    for (const [option, kind] of Object.entries(options)) {
      for (const value of typeof kind === 'string' ? KINDS[kind as keyof typeof KINDS] : kind) {
        const wrong = { ...given, [option]: value }
        // The error names the option or its subject.
        await refused(t, `${option} ${shown(value)}`, new RegExp(option, 'i'), () => call(wrong as never))
      }
    }
  })

  test(`${name}: unknown options and options that are not an object are refused`, async (t) => {
    await refused(t, 'unknown', /nonsense: unknown option/, () => call({ ...given, nonsense: 1 } as never))
    for (const value of [null, 'text', 1, true, [], () => {}])
      await refused(t, shown(value), /must be an object/, () => call(value as never))
  })
}

const wrongLayers: readonly [names: RegExp, layer: unknown][] = [
  [/entries/, { entries: 'a' }],
  [/entries\[0\]/, { entries: [null] }],
  [/entries\[0\]/, { entries: [{ path: '/a' }] }],
  [/entries\[0\]\.path/, { entries: [{ content: 'a' }] }],
  [/entries\[0\]\.path/, { entries: [{ path: '', content: 'a' }] }],
  [/entries\[0\]\.path/, { entries: [{ path: ['/a'], content: 'a' }] }],
  [/entries\[0\]\.content/, { entries: [{ path: '/a', content: 7 }] }],
  [/entries\[0\]\.content/, { entries: [{ path: '/a', content: null }] }],
  [/entries\[0\]\.content\.file/, { entries: [{ path: '/a', content: { file: '' } }] }],
  [/entries\[1\]\.mode/, { entries: [...entries, { path: '/b', content: '', mode: '0644' }] }],
  [/entries\[0\]\.mode/, { entries: [{ path: '/b', content: '', mode: 0o10000 }] }],
  [/entries\[0\]\.uid/, { entries: [{ path: '/b', content: '', uid: 2 ** 32 }] }],
  [/entries\[0\]\.mtime/, { entries: [{ path: '/b', content: '', mtime: new Date() }] }],
  [/entries\[0\]\.xattrs/, { entries: [{ path: '/b', content: '', xattrs: { 'user.a': 1 } }] }],
  [/entries\[0\]\.owner: unknown option/, { entries: [{ path: '/b', content: '', owner: 1 }] }],
  [/entries\[0\]\.target/, { entries: [{ path: '/b', type: 'symlink' }] }],
  [
    /entries\[0\]\.mode: unknown option/,
    { entries: [{ path: '/b', type: 'hardlink', target: '/a', mode: 0 }] },
  ],
  [/entries\[0\]/, { entries: [{ path: '/b', type: 'socket' }] }],
  [/entries\[0\]\.major/, { entries: [{ path: '/b', type: 'char', major: -1 }] }],
  [/entries\[0\]\.remove/, { entries: [{ path: '/b', remove: false }] }],
  [/entries\[0\]\.opaque/, { entries: [{ path: '/b', opaque: 1 }] }],
  [/entries\[0\]\.tree/, { entries: [{ path: '/b', tree: 'x' }] }],
  [/entries\[0\]\.tree/, { entries: [{ path: '/b', tree: { a: 7 } }] }],
  [/entries\[0\]\.source/, { entries: [{ path: '/b', source: undefined }] }],
  [/entries\[0\]\.exclude/, { entries: [{ path: '/b', source: tree, exclude: 'x' }] }],
  [/archive/, { archive: '' }],
  [/verbatim/, { archive: manifest, verbatim: 'yes' }],
  [/upper/, { upper: null }],
  [/directory/, { directory: 7 }],
  [/before/, { directory: tree, before: 'base' }],
  [/before/, { directory: tree, before: {} }],
  [/keepDirlinks/, { directory: tree, keepDirlinks: true, before: { directory: tree } }],
  [/mask/, { directory: tree, mask: '/a' }],
  [/uidMap\[0\]\.host/, { directory: tree, uidMap: [{ container: 0, host: 2 ** 32, size: 1 }] }],
  [/history\.comment/, { entries, history: { comment: 7 } }],
  [/annotations/, { entries, annotations: { a: null } }],
  [/nonsense/, { entries, nonsense: 1 }],
]

test('parts of layers are refused before anything is made, by their paths', async (t) => {
  for (const [names, layer] of wrongLayers)
    await refused(t, shown(layer), names, () =>
      Image.build({ layout: fresh, layers: [{ entries }, layer as never] }),
    )
})

test('invalid arguments other than options are refused as well', async (t) => {
  const wrong = (value: unknown): never => value as never
  const texts = [undefined, null, 1, true, [], {}, ['oci:a']]
  const all: Readonly<Record<string, (value: unknown) => unknown>> = {
    'image reference': (value) => Image.open(wrong(value)),
    'image reference ': (value) => parseReference(wrong(value)),
    'image  reference|references': (value) => copyImage(wrong(value), { layout: fresh }),
    references: (value) => copyImages(wrong([value]), { layout: fresh }),
    layout: (value) => Layout.open(wrong(value)),
    'layout ': (value) => Layout.create(wrong(value)),
    bundle: (value) => image.unpack(wrong(value), { args: ['sh'] }),
    directory: (value) => image.unpackRootfs(wrong(value)),
    path: (value) => image.readFile(wrong(value)),
    'directory ': (value) => snapshot(wrong(value), join(base, 'new')),
    manifest: (value) => snapshot(tree, wrong(value)),
    'manifest ': (value) => changesSince(wrong(value), tree),
    removed: (value) => removeUnpacked(wrong(value)),
    validated: (value) => validate(wrong(value)),
    text: (value) => layout.writeBlob(wrong(value), 'text/plain'),
    mediaType: (value) => layout.writeBlob('a', wrong(value)),
    tag: (value) => layout.tag(image.descriptor, wrong(value)),
    name: (value) => store.open(wrong(value)),
    'name ': (value) => store.remove(wrong(value)),
    chainId: (value) => store.snapshot(wrong(value)),
    source: (value) => store.import(wrong(value)),
    image: (value) => store.prepare(wrong(value)),
    other: (value) => image.diff(wrong(value)),
    base: (value) => image.rebase(wrong(value), image, { layout: fresh }),
    onto: (value) => image.rebase(image, wrong(value), { layout: fresh }),
    descriptor: (value) => image.blob(wrong(value)),
    'descriptor ': (value) => Image.from(layout, wrong(value)),
    'descriptor  ': (value) => layout.tag(wrong(value), 'b'),
    change: (value) => layout.update(wrong(value)),
  }
  for (const [names, call] of Object.entries(all))
    for (const value of texts)
      await refused(t, `${names} ${shown(value)}`, new RegExp(names.trim()), () => call(value))
  for (const value of texts.slice(1))
    await refused(t, `signal ${shown(value)}`, /signal/, () => layout.protect(wrong(value)))
  for (const value of texts)
    t.throws(() => layout.blobPath(wrong(value)), { code: 'ERR_INVALID_IMAGE' } as never)
})

test('several problems are reported at once', async (t) => {
  const error = await t.throwsAsync(
    image.squash({ layout: fresh, keep: '1', threads: 0, nonsense: true } as never),
  )
  const { issues } = error as CaissonError & { issues: { path: string }[] }
  t.deepEqual(issues.map(({ path }) => path).sort(), ['keep', 'nonsense', 'threads'])
})
