import test from 'ava'
import {
  toRuntimeConfig,
  type ResolvedUser,
  type RuntimeConfigOptions,
} from '../../ts/image/runtime-config.ts'
import { defaultSpec } from '../../ts/image/index.ts'
import type { ImageConfig, RuntimeSpec } from '../../ts/spec/index.ts'

const nobody = (): ResolvedUser => ({ uid: 7, gid: 8, additionalGids: [9], home: '/home/x' })

function convert(image: Partial<ImageConfig>, options: RuntimeConfigOptions = {}): RuntimeSpec {
  const whole = {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers' as const, diff_ids: [] },
    ...image,
  }
  return toRuntimeConfig(whole, options, nobody)
}

test('every field goes where conversion.md says', (t) => {
  const spec = convert({
    author: 'a',
    created: '2020-01-01T00:00:00Z',
    variant: 'v2',
    'os.features': ['x', 'y'],
    config: {
      User: 'web',
      Env: ['A=1', 'B=x=y', 'A=2'],
      Entrypoint: ['/e'],
      Cmd: ['c'],
      WorkingDir: 'srv',
      Labels: { l: 'v', 'org.opencontainers.image.author': 'label' },
      StopSignal: 'SIGTERM',
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Volumes: { '/data': {} },
    },
  })
  t.deepEqual(spec.process?.args, ['/e', 'c'])
  t.is(spec.process?.cwd, '/srv')
  t.deepEqual(spec.process?.user, { uid: 7, gid: 8, additionalGids: [9] })
  t.deepEqual(spec.process?.env?.slice(0, 2), ['A=2', 'B=x=y'])
  t.true(spec.process?.env?.includes('HOME=/home/x'))
  t.deepEqual(spec.annotations, {
    'org.opencontainers.image.os': 'linux',
    'org.opencontainers.image.architecture': 'amd64',
    'org.opencontainers.image.variant': 'v2',
    'org.opencontainers.image.os.features': 'x,y',
    'org.opencontainers.image.author': 'label',
    'org.opencontainers.image.created': '2020-01-01T00:00:00Z',
    'org.opencontainers.image.stopSignal': 'SIGTERM',
    'org.opencontainers.image.exposedPorts': '53/udp,80/tcp',
    l: 'v',
  })
  t.deepEqual(spec.mounts?.at(-1), {
    destination: '/data',
    type: 'tmpfs',
    source: 'none',
    options: ['rw', 'nosuid', 'nodev', 'noexec', 'relatime'],
  })
})

test('null is absent, and the image is never overridden by what is added', (t) => {
  const config = {
    Env: ['HOME=/mine', 'PATH=/p'],
    Cmd: ['c'],
    Entrypoint: null,
    Labels: null,
    Volumes: null,
    User: null,
  }
  const spec = convert({ config })
  t.deepEqual(spec.process?.env, ['HOME=/mine', 'PATH=/p'])
  t.is(spec.process?.cwd, '/')
})

test('options replace what the image says', (t) => {
  const spec = convert(
    { config: { Entrypoint: ['/e'], Env: ['A=1', 'B=2'] } },
    { args: ['x'], env: { A: undefined, C: '3' }, cwd: '/w', hostname: 'h', readonly: true, terminal: true },
  )
  t.deepEqual(spec.process?.args, ['x'])
  t.false(spec.process?.env?.some((entry) => entry.startsWith('A=')))
  t.true(spec.process?.env?.includes('C=3'))
  t.deepEqual(
    [spec.process?.cwd, spec.hostname, spec.root?.readonly, spec.process?.terminal],
    ['/w', 'h', true, true],
  )
})

test('an image without a program, and a variable without a name, are refused', (t) => {
  t.throws(() => convert({}), { code: 'ERR_INVALID_OPTION' } as never)
  t.throws(() => convert({ config: { Cmd: ['c'], Env: ['=x'] } }), { code: 'ERR_INVALID_IMAGE' } as never)
})

test('CVE-2022-24769: nothing is inheritable and nothing ambient, rootless or not', (t) => {
  for (const rootless of [false, true]) {
    const { process, linux } = defaultSpec({ rootless })
    t.deepEqual(Object.keys(process?.capabilities ?? {}).sort(), ['bounding', 'effective', 'permitted'])
    t.is(
      linux?.namespaces?.some(({ type }) => type === 'user'),
      rootless,
    )
    t.is(
      linux?.namespaces?.some(({ type }) => type === 'network'),
      !rootless,
    )
    t.is(linux?.resources === undefined, rootless)
  }
})
