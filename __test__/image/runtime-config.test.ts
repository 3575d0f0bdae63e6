/** From an image configuration to config.json: conversion.md of image-spec row by row, one case a sentence. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
  toRuntimeConfig,
  type ResolvedUser,
  type RuntimeConfigOptions,
} from '../../ts/image/runtime-config.ts'
import { defaultSpec, Image, type UnpackBundleOptions } from '../../ts/image/index.ts'
import type { ImageConfig, RuntimeSpec } from '../../ts/spec/index.ts'
import { checkout } from '../fixtures/program.ts'
import { scratch, tar, writeLayout, type TestEntry, type TestLayoutOptions } from './fixture.ts'

const PREFIX = 'org.opencontainers.image.'
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const root = process.geteuid?.() === 0
const user = (): ResolvedUser => ({ uid: 7, gid: 8, additionalGids: [9], home: '/home/x' })
const homeless = (): ResolvedUser => ({ uid: 7, gid: 8, additionalGids: [] })

type Fields = Omit<Partial<ImageConfig>, 'config'>
type Config = NonNullable<ImageConfig['config']>

function convert(
  image: Partial<ImageConfig>,
  options: RuntimeConfigOptions = {},
  lookUp = user,
): RuntimeSpec {
  const rootfs = { type: 'layers' as const, diff_ids: [] }
  return toRuntimeConfig({ architecture: 'amd64', os: 'linux', rootfs, ...image }, options, lookUp)
}

const volume = (destination: string): object => ({
  destination,
  type: 'tmpfs',
  source: 'none',
  options: ['rw', 'nosuid', 'nodev', 'noexec', 'relatime'],
})

/** The defaults, before what an image adds. */
const added = ({ mounts }: RuntimeSpec): unknown => mounts?.slice(defaultSpec().mounts!.length)

const fields: [title: string, Config, pick: (spec: RuntimeSpec) => unknown, expected: unknown][] = [
  ['WorkingDir is the working directory', { WorkingDir: '/srv' }, (s) => s.process?.cwd, '/srv'],
  ['WorkingDir is taken verbatim', { WorkingDir: '/a/../b//' }, (s) => s.process?.cwd, '/a/../b//'],
  ['no WorkingDir is the root', {}, (s) => s.process?.cwd, '/'],
  ['an empty WorkingDir is the root', { WorkingDir: '' }, (s) => s.process?.cwd, '/'],
  ['WorkingDir null is the root', { WorkingDir: null }, (s) => s.process?.cwd, '/'],
  ['a relative WorkingDir begins at the root', { WorkingDir: 'srv/x' }, (s) => s.process?.cwd, '/srv/x'],

  ['Entrypoint and Cmd are one list', { Entrypoint: ['/e', 'a'] }, (s) => s.process?.args, ['/e', 'a', 'c']],
  ['Cmd alone is the program', { Entrypoint: null }, (s) => s.process?.args, ['c']],
  ['Entrypoint alone is the program', { Entrypoint: ['/e'], Cmd: null }, (s) => s.process?.args, ['/e']],
  ['an empty Entrypoint counts as missing', { Entrypoint: [] }, (s) => s.process?.args, ['c']],
  ['ArgsEscaped means nothing here', { ArgsEscaped: true }, (s) => s.process?.args, ['c']],

  ['Env is completed', { Env: ['A=1'] }, (s) => s.process?.env, ['A=1', PATH, 'HOME=/home/x']],
  ['Env is never overridden', { Env: ['HOME=', 'PATH='] }, (s) => s.process?.env, ['HOME=', 'PATH=']],
  ['Env null is empty', { Env: null }, (s) => s.process?.env, [PATH, 'HOME=/home/x']],
  [
    'a variable that is twice in Env is once, with the last value',
    { Env: ['A=1', 'B=x=y', 'A=2', 'C='] },
    (s) => s.process?.env?.slice(0, 3),
    ['A=2', 'B=x=y', 'C='],
  ],
  [
    'Env may hold lines and names of JavaScript',
    { Env: ['L=a\nb', '__proto__=x'] },
    (s) => s.process?.env?.slice(0, 2),
    ['L=a\nb', '__proto__=x'],
  ],

  [
    'Labels are annotations',
    { Labels: { l: 'v', 'a.b/c': '' } },
    (s) => pickLabels(s),
    { l: 'v', 'a.b/c': '' },
  ],
  ['a label without a name is dropped', { Labels: { '': 'x', l: 'v' } }, (s) => pickLabels(s), { l: 'v' }],
  ['null Labels give no annotations', { Labels: null }, (s) => pickLabels(s), {}],
  [
    'a label may be called anything',
    { Labels: JSON.parse('{"__proto__":"x"}') as object as never },
    (s) => Object.hasOwn(s.annotations ?? {}, '__proto__'),
    true,
  ],
  [
    'StopSignal is an annotation',
    { StopSignal: 'SIGRTMIN+3' },
    (s) => s.annotations?.[`${PREFIX}stopSignal`],
    'SIGRTMIN+3',
  ],
  [
    'an empty StopSignal counts as missing',
    { StopSignal: '' },
    (s) => `${PREFIX}stopSignal` in (s.annotations ?? {}),
    false,
  ],
  [
    'ExposedPorts are one annotation, sorted',
    { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '1000': {} } },
    (s) => s.annotations?.[`${PREFIX}exposedPorts`],
    '1000,53/udp,80/tcp',
  ],
  [
    'empty ExposedPorts give no annotation',
    { ExposedPorts: {} },
    (s) => `${PREFIX}exposedPorts` in (s.annotations ?? {}),
    false,
  ],
  [
    'null ExposedPorts give no annotation',
    { ExposedPorts: null },
    (s) => `${PREFIX}exposedPorts` in (s.annotations ?? {}),
    false,
  ],

  [
    'Volumes are mounts after the others, sorted',
    { Volumes: { '/v': {}, '/data': {} } },
    added,
    [volume('/data'), volume('/v')],
  ],
  ['null Volumes give no mounts', { Volumes: null }, added, []],
  ['a relative volume begins at the root', { Volumes: { data: {} } }, added, [volume('/data')]],
  ['a volume does not climb', { Volumes: { '/../../x/../y': {} } }, added, [volume('/y')]],
  ['one directory is one volume', { Volumes: { '/d': {}, '/d/': {}, '//d/.': {} } }, added, [volume('/d')]],

  [
    'the user is looked up',
    { User: 'web' },
    (s) => s.process?.user,
    { uid: 7, gid: 8, additionalGids: [8, 9] },
  ],
  ['the root is writable', {}, (s) => s.root, { path: 'rootfs', readonly: false }],
  ['there is no terminal', {}, (s) => s.process?.terminal, false],
  [
    'unknown fields mean nothing',
    { OnBuild: ['RUN x'], Hostname: 'h', Memory: 1, Healthcheck: {} } as Config,
    (s) => s.hostname,
    defaultSpec().hostname,
  ],
]

function pickLabels({ annotations = {} }: RuntimeSpec): object {
  const labels = Object.entries(annotations ?? {}).filter(([name]) => !name.startsWith(PREFIX))
  return Object.fromEntries(labels)
}

for (const [title, config, pick, expected] of fields) {
  test(title, (t) => t.deepEqual(pick(convert({ config: { Cmd: ['c'], ...config } })), expected))
}

const annotated: [title: string, Fields, Pick<Config, 'Labels'>, expected: Record<string, string>][] = [
  ['os and architecture', {}, {}, { os: 'linux', architecture: 'amd64' }],
  ['variant', { variant: 'v2' }, {}, { variant: 'v2' }],
  ['os.version', { 'os.version': '10.0' }, {}, { 'os.version': '10.0' }],
  ['os.features, sorted', { 'os.features': ['y', 'x'] }, {}, { 'os.features': 'x,y' }],
  ['author', { author: 'a <b>' }, {}, { author: 'a <b>' }],
  [
    'created, verbatim',
    { created: '2020-01-01T00:00:00.120+01:00' },
    {},
    { created: '2020-01-01T00:00:00.120+01:00' },
  ],
  [
    'not what is empty or null',
    { author: '', variant: null, 'os.features': [], created: null } as never,
    { Labels: null },
    {},
  ],
  [
    'not what a label says otherwise',
    { author: 'a' },
    { Labels: { [`${PREFIX}author`]: 'label' } },
    { author: 'label' },
  ],
  ['not what a label leaves empty', { author: 'a' }, { Labels: { [`${PREFIX}author`]: '' } }, { author: '' }],
  ['not the os of a label either', {}, { Labels: { [`${PREFIX}os`]: 'label' } }, { os: 'label' }],
]

for (const [title, image, labels, expected] of annotated) {
  test(`annotations: ${title}`, (t) => {
    const { annotations } = convert({ ...image, config: { Cmd: ['c'], ...labels } })
    const named = Object.entries(expected).map(([name, value]) => [`${PREFIX}${name}`, value])
    const platform = { [`${PREFIX}os`]: 'linux', [`${PREFIX}architecture`]: 'amd64' }
    t.deepEqual(annotations, { ...platform, ...Object.fromEntries(named) })
  })
}

const refusals: [title: string, code: string, Partial<ImageConfig>][] = [
  ['no program', 'ERR_INVALID_OPTION', {}],
  ['an empty program', 'ERR_INVALID_OPTION', { config: { Entrypoint: [], Cmd: [] } }],
  ['a variable without a name', 'ERR_INVALID_IMAGE', { config: { Cmd: ['c'], Env: ['=x'] } }],
  ['a variable without a value', 'ERR_INVALID_IMAGE', { config: { Cmd: ['c'], Env: ['A'] } }],
  ['the root as a volume', 'ERR_INVALID_IMAGE', { config: { Cmd: ['c'], Volumes: { '/x/..': {} } } }],
  ['nothing as a volume', 'ERR_INVALID_IMAGE', { config: { Cmd: ['c'], Volumes: { '': {} } } }],
  ['another system', 'ERR_UNSUPPORTED_IMAGE', { os: 'windows', config: { Cmd: ['c'] } }],
]

for (const [title, code, image] of refusals) {
  test(`refused: ${title}`, (t) => void t.throws(() => convert(image), { code } as never))
}

test('options replace what the image says', (t) => {
  const spec = convert(
    { config: { Entrypoint: ['/e'], Env: ['A=1', 'B=2'], User: 'image' } },
    {
      args: ['x'],
      env: { A: undefined, C: '3', PATH: undefined },
      cwd: '/w',
      user: 'given',
      hostname: 'h',
      readonly: true,
      terminal: true,
    },
    (...asked: unknown[]) => ({ ...homeless(), home: String(asked) }),
  )
  t.deepEqual(spec.process?.args, ['x'])
  t.deepEqual(spec.process?.env, ['B=2', 'HOME=given', 'TERM=xterm', 'C=3'])
  t.deepEqual(
    [spec.process?.cwd, spec.hostname, spec.root?.readonly, spec.process?.terminal],
    ['/w', 'h', true, true],
  )
})

test('CVE-2022-24769: nothing is inheritable and nothing ambient, rootless or not', (t) => {
  for (const rootless of [false, true]) {
    const { process, linux } = convert({ config: { Cmd: ['c'] } }, { rootless })
    t.deepEqual(Object.keys(process?.capabilities ?? {}).sort(), ['bounding', 'effective', 'permitted'])
    const types = linux?.namespaces?.map(({ type }) => type)
    t.deepEqual([types?.includes('user'), types?.includes('network')], [rootless, !rootless])
    t.is(linux?.resources === undefined, rootless)
  }
})

test('a user of a single mapped id has no supplementary groups', (t) => {
  const config = { Cmd: ['c'] }
  t.deepEqual(convert({ config }, { rootless: true }).process?.user, { uid: 7, gid: 8 })
  const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
  const mapped = convert({ config }, { rootless: true, idMappings: { uidMappings: map, gidMappings: map } })
  t.deepEqual(mapped.process?.user, { uid: 7, gid: 8, additionalGids: [8, 9] }) // ids of the image, not of the host
  t.deepEqual([mapped.linux?.uidMappings, mapped.linux?.gidMappings], [map, map])
  t.is(mapped.linux?.namespaces?.filter(({ type }) => type === 'user').length, 1)
})

const system: TestEntry[] = [
  { name: 'etc/passwd', content: 'root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n' },
  { name: 'etc/group', content: 'web:x:44:\nlog:x:9:web\n' },
]

/** The bundle's config.json. */
async function unpacked(
  t: Parameters<typeof scratch>[0],
  config: object,
  options: UnpackBundleOptions = {},
  layout: TestLayoutOptions = {},
): Promise<RuntimeSpec> {
  const base = scratch(t)
  writeLayout(join(base, 'images'), [tar(system)], {
    config: { config: { Cmd: ['c'], ...config } },
    ...layout,
  })
  const image = await Image.open(`oci:${base}/images:test`)
  await image.unpack(join(base, 'bundle'), options)
  return JSON.parse(readFileSync(join(base, 'bundle/config.json'), 'utf8')) as RuntimeSpec
}

test('annotations of manifest and index are not copied', async (t) => {
  const annotations = { 'manifest.only': 'x', [`${PREFIX}title`]: 'manifest' }
  const change = (manifest: object): void => void Object.assign(manifest, { annotations })
  const spec = await unpacked(t, { Labels: { l: 'v' } }, {}, { manifest: change })
  t.deepEqual(Object.keys(spec.annotations ?? {}).sort(), ['l', `${PREFIX}architecture`, `${PREFIX}os`])
})

for (const rootless of root ? [false, true] : [true]) {
  test(`where the image says nothing it is what caisson spec writes, rootless: ${rootless}`, async (t) => {
    const base = scratch(t)
    const words = ['spec', '--bundle', base, ...(rootless ? ['--rootless'] : [])]
    t.is(spawnSync(process.execPath, [join(checkout, 'dist/cli.js'), ...words]).status, 0)
    const written = JSON.parse(readFileSync(join(base, 'config.json'), 'utf8')) as RuntimeSpec
    const spec = await unpacked(
      t,
      { Cmd: ['sh'], Env: ['TERM=xterm', PATH] },
      { rootless, terminal: true, readonly: true },
    )
    const { annotations, process: program, ...rest } = spec
    const { process: plain, ...others } = written
    t.deepEqual(rest, others)
    const groups = rootless ? {} : { additionalGids: [0] }
    t.deepEqual(program, {
      ...plain!,
      env: ['TERM=xterm', PATH, 'HOME=/root'],
      user: { uid: 0, gid: 0, ...groups },
    })
    t.is(Object.keys(annotations ?? {}).length, 2)
  })
}

test("the user is the image's, whatever host ids it maps to", async (t) => {
  const groups = root ? { additionalGids: [44, 9] } : {}
  t.deepEqual((await unpacked(t, { User: 'web' })).process?.user, { uid: 33, gid: 44, ...groups })
  t.deepEqual((await unpacked(t, { User: 'web' }, { rootless: true })).process?.user, { uid: 33, gid: 44 })
  const user = await unpacked(t, { User: 'web' }, { user: '33:log' })
  t.deepEqual(user.process?.user, { uid: 33, gid: 9, ...(root ? { additionalGids: [9] } : {}) })
  if (!root) return
  const map = [{ containerID: 0, hostID: 300_000, size: 65_536 }]
  const mapped = await unpacked(t, { User: 'web' }, { idMappings: { uidMappings: map, gidMappings: map } })
  t.deepEqual(mapped.process?.user, { uid: 33, gid: 44, additionalGids: [44, 9] })
  t.true(mapped.process?.env?.includes('HOME=/srv'))
  t.deepEqual(mapped.linux?.uidMappings, map)
})
