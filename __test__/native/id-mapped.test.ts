/** Id-mapped mounts, case by case as runc's own tests of them (tests/integration/idmap.bats) have them. */
import { chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Engine } from '../../ts/native/engine.ts'
import { create, failureOf, remains, requestFor, runToEnd } from './container.ts'
import { makeBundle, type Bundle, type Json } from './bundle.ts'

const engine = new Engine()
const isRoot = process.geteuid?.() === 0

interface Range {
  containerID: number
  hostID: number
  size: number
}

const range = (containerID: number, hostID: number, size: number): Range => ({ containerID, hostID, size })
const ALL = [range(0, 100_000, 65_536)]
const OVERFLOW = '65534=65534'

/** Owners of the files in each source: uid, gid of foo, bar and baz. */
const SOURCES = {
  plain: [[0, 0]],
  multi1: [
    [100, 211],
    [101, 222],
    [102, 233],
  ],
  multi2: [
    [200, 211],
    [201, 222],
    [202, 233],
  ],
  multi3: [
    [5_000_528, 6_000_491],
    [5_000_133, 6_000_337],
    [5_000_999, 6_000_444],
  ],
  subtree: [
    [100, 211],
    [200, 222],
    [300, 233],
  ],
} as const
const FILES = ['foo', 'bar', 'baz']

interface Case {
  name: string
  mounts: (at: (source: string) => string) => Json[]
  /** `path: uid=gid` with a user namespace, and without one. */
  userns?: Record<string, string>
  none?: Record<string, string>
}

const bind = (source: string, destination: string, rest: Json = {}): Json => ({
  source,
  destination,
  options: ['bind'],
  ...rest,
})
const mapped = (uidMappings: Range[], gidMappings = uidMappings, options = ['bind']): Json => ({
  uidMappings,
  gidMappings,
  options,
})

/** A tree with two mounts below, and the id-mapped view of it. */
const tree = (options: string[], own: boolean) => (at: (source: string) => string) => [
  bind(at('subtree'), '/tree'),
  bind(at('multi1'), '/tree/multi1'),
  bind(at('multi2'), '/tree/multi2'),
  bind(at('rootfs:tree'), '/view', {
    options,
    ...(own
      ? {
          uidMappings: [range(100, 101_000, 3), range(200, 102_000, 3), range(300, 103_000, 3)],
          gidMappings: [range(210, 101_100, 10), range(220, 102_200, 10), range(230, 103_300, 10)],
        }
      : {}),
  }),
]
const triple = (folder: string, owners: string[]): Record<string, string> =>
  Object.fromEntries(FILES.map((name, index) => [`${folder}/${name}`, owners[index] as string]))

const flat = {
  userns: {
    ...triple('/view', ['1000=1101', '2000=2202', '3000=3303']),
    ...triple('/view/multi1', [OVERFLOW, OVERFLOW, OVERFLOW]),
    ...triple('/view/multi2', [OVERFLOW, OVERFLOW, OVERFLOW]),
  },
  none: {
    ...triple('/view', ['101000=101101', '102000=102202', '103000=103303']),
    ...triple('/view/multi1', ['100=211', '101=222', '102=233']),
    ...triple('/view/multi2', ['200=211', '201=222', '202=233']),
  },
}

const cases: Case[] = [
  {
    name: 'one mapping',
    mounts: (at) => [bind(at('plain'), '/view', mapped(ALL))],
    userns: { '/view/foo': '0=0' },
    none: { '/view/foo': '100000=100000' },
  },
  {
    name: 'a relative destination, and a shared mount',
    mounts: (at) => [bind(at('plain'), 'view', mapped(ALL, ALL, ['bind', 'shared']))],
    userns: { '/view/foo': '0=0' },
  },
  {
    name: 'beside a bind mount of the same source',
    mounts: (at) => [bind(at('plain'), '/view', mapped(ALL)), bind(at('plain'), '/bound')],
    userns: { '/view/foo': '0=0', '/bound/foo': OVERFLOW },
    none: { '/view/foo': '100000=100000', '/bound/foo': '0=0' },
  },
  {
    name: 'one source with three mappings, once over a link',
    mounts: (at) => [
      bind(at('multi1'), '/a', mapped([range(100, 100_000, 100)], [range(200, 100_000, 100)])),
      bind(at('multi1'), '/b', mapped([range(100, 101_000, 100)], [range(200, 102_000, 100)])),
      bind(at('link'), '/c', mapped([range(100, 102_000, 100)], [range(200, 103_000, 100)])),
    ],
    userns: {
      ...triple('/a', ['0=11', '1=22', '2=33']),
      ...triple('/b', ['1000=2011', '1001=2022', '1002=2033']),
      ...triple('/c', ['2000=3011', '2001=3022', '2002=3033']),
    },
    none: {
      ...triple('/a', ['100000=100011', '100001=100022', '100002=100033']),
      ...triple('/b', ['101000=102011', '101001=102022', '101002=102033']),
      ...triple('/c', ['102000=103011', '102001=103022', '102002=103033']),
    },
  },
  {
    name: 'several sources with mappings of their own',
    mounts: (at) => [
      bind(at('multi1'), '/a', mapped([range(100, 101_100, 3)], [range(200, 101_900, 50)])),
      bind(at('multi2'), '/b', mapped([range(200, 102_200, 3)], [range(200, 102_900, 100)])),
      bind(at('multi3'), '/c', mapped([range(5_000_000, 103_000, 1000)], [range(6_000_000, 103_000, 500)])),
    ],
    userns: {
      ...triple('/a', ['1100=1911', '1101=1922', '1102=1933']),
      ...triple('/b', ['2200=2911', '2201=2922', '2202=2933']),
      ...triple('/c', ['3528=3491', '3133=3337', '3999=3444']),
    },
  },
  {
    name: 'a mapping of several ranges',
    mounts: (at) => [
      bind(
        at('multi1'),
        '/view',
        mapped(
          [range(100, 101_000, 1), range(101, 102_000, 1), range(102, 103_000, 1)],
          [range(210, 101_100, 10), range(220, 102_200, 10), range(230, 103_300, 10)],
        ),
      ),
    ],
    userns: triple('/view', ['1000=1101', '2000=2202', '3000=3303']),
    none: triple('/view', ['101000=101101', '102000=102202', '103000=103303']),
  },
  { name: 'rbind without an option', mounts: tree(['rbind'], true), ...flat },
  { name: 'rbind with idmap', mounts: tree(['rbind', 'idmap'], true), ...flat },
  {
    name: 'rbind with ridmap',
    mounts: tree(['rbind', 'ridmap'], true),
    userns: {
      ...triple('/view', ['1000=1101', '2000=2202', '3000=3303']),
      ...triple('/view/multi1', ['1000=1101', '1001=2202', '1002=3303']),
      ...triple('/view/multi2', ['2000=1101', '2001=2202', '2002=3303']),
    },
    none: {
      ...triple('/view', ['101000=101101', '102000=102202', '103000=103303']),
      ...triple('/view/multi1', ['101000=101101', '101001=102202', '101002=103303']),
      ...triple('/view/multi2', ['102000=101101', '102001=102202', '102002=103303']),
    },
  },
  {
    name: 'idmap with the mappings of the container',
    mounts: tree(['rbind', 'idmap'], false),
    userns: {
      ...triple('/view', ['100=211', '200=222', '300=233']),
      ...triple('/view/multi1', [OVERFLOW, OVERFLOW, OVERFLOW]),
    },
  },
  {
    name: 'ridmap with the mappings of the container',
    mounts: tree(['rbind', 'ridmap'], false),
    userns: {
      ...triple('/view', ['100=211', '200=222', '300=233']),
      ...triple('/view/multi2', ['200=211', '201=222', '202=233']),
    },
  },
  {
    name: "crun's mappings in the option",
    mounts: (at) => [
      bind(at('multi1'), '/view', { options: ['bind', 'idmap=uids=100-100000-3;gids=200-100500-100'] }),
    ],
    userns: triple('/view', ['0=511', '1=522', '2=533']),
    none: triple('/view', ['100000=100511', '100001=100522', '100002=100533']),
  },
]

function prepare(t: ExecutionContext, userns: boolean): { made: Bundle; at: (source: string) => string } {
  const made = makeBundle(t)
  const folder = join(made.bundle, 'sources')
  for (const [source, owners] of Object.entries(SOURCES)) {
    mkdirSync(join(folder, source), { recursive: true })
    for (const [index, [uid, gid]] of owners.entries()) {
      writeFileSync(join(folder, source, FILES[index] as string), '')
      chownSync(join(folder, source, FILES[index] as string), uid, gid)
    }
  }
  symlinkSync('multi1', join(folder, 'link'))
  for (const name of ['multi1', 'multi2']) mkdirSync(join(folder, 'subtree', name))
  for (const name of ['tree', 'view', 'bound', 'a', 'b', 'c']) mkdirSync(join(made.rootfs, name))
  if (userns) {
    made.config.linux.namespaces.push({ type: 'user' })
    Object.assign(made.config.linux, { uidMappings: ALL, gidMappings: ALL })
  }
  const at = (source: string): string =>
    source.startsWith('rootfs:') ? join(made.rootfs, source.slice(7)) : join(folder, source)
  return { made, at }
}

function setProcess(made: Bundle, mounts: Json[], script: string): void {
  made.config['mounts'] = [...(made.config['mounts'] as Json[]), ...mounts]
  made.config.process['args'] = ['sh', '-c', script]
  made.save()
}

for (const { name, mounts, ...expected } of cases) {
  for (const kind of ['userns', 'none'] as const) {
    const owners = expected[kind]
    if (!owners) continue
    ;(isRoot ? test : test.skip)(`${name} (${kind === 'none' ? 'no ' : ''}user namespace)`, async (t) => {
      const { made, at } = prepare(t, kind === 'userns')
      setProcess(made, mounts(at), `busybox stat -c '%n %u=%g' ${Object.keys(owners).join(' ')}`)
      const request = requestFor(made)
      const { exitCode, stdout, stderr } = await runToEnd(t, engine, request)
      t.is(exitCode, 0, stderr)
      const found = stdout.trimEnd().split('\n')
      t.deepEqual(
        found,
        Object.entries(owners).map(([path, owner]) => `${path} ${owner}`),
      )
      t.deepEqual(remains(made.root, request.id), [])
    })
  }
}

;(isRoot ? test : test.skip)('files are written as the mapped owner, or not at all', async (t) => {
  const { made, at } = prepare(t, true)
  setProcess(made, [bind(at('plain'), '/view', mapped(ALL))], 'echo x > /view/new')
  t.is((await runToEnd(t, engine, requestFor(made))).exitCode, 0)
  t.is(statSync(join(at('plain'), 'new')).uid, 0)

  const without = prepare(t, false)
  setProcess(without.made, [bind(without.at('plain'), '/view', mapped(ALL))], 'echo x > /view/new')
  const { exitCode, stderr } = await runToEnd(t, engine, requestFor(without.made))
  t.not(exitCode, 0)
  t.regex(stderr, /Value too large/)
})

;(isRoot ? test : test.skip)('a joined user namespace has mappings that count', async (t) => {
  const target = prepare(t, true)
  target.made.config.process['args'] = ['sleep', '1000']
  target.made.save()
  const first = requestFor(target.made, { stdio: [-1, -1, -1] })
  const { pid } = await create(t, engine, first)
  await engine.start(first.root, first.id)
  const { made, at } = prepare(t, false)
  made.config.linux.namespaces.push({ type: 'user', path: `/proc/${String(pid)}/ns/user` })
  const view = bind(at('multi1'), '/view', { options: ['bind', 'idmap'] })
  setProcess(made, [view], 'busybox stat -c %u=%g /view/foo /view/bar')
  const { exitCode, stdout, stderr } = await runToEnd(t, engine, requestFor(made))
  t.is(exitCode, 0, stderr)
  t.is(stdout, '100=211\n101=222\n')
})

;(isRoot ? test : test.skip)('more mounts than descriptors that the program may have', async (t) => {
  const { made, at } = prepare(t, true)
  made.config.process['rlimits'] = [{ type: 'RLIMIT_NOFILE', soft: 20, hard: 20 }]
  const names = Array.from({ length: 20 }, (_, index) => `/many${index}`)
  for (const name of names) mkdirSync(join(made.rootfs, name))
  setProcess(
    made,
    names.map((name) => bind(at('plain'), name, mapped(ALL))),
    `busybox stat -c %u=%g ${names[19]}/foo`,
  )
  const { exitCode, stdout, stderr } = await runToEnd(t, engine, requestFor(made))
  t.is(exitCode, 0, stderr)
  t.is(stdout, '0=0\n')
})

test('what can never be mapped is refused before anything is made', async (t) => {
  const made = makeBundle(t)
  const refused = async (mount: Json, message: RegExp): Promise<void> => {
    made.config['mounts'] = [mount]
    made.save()
    const request = requestFor(made)
    const error = await failureOf(t, engine.create(request))
    t.is(error.code, 'ERR_INVALID_SPEC')
    t.regex(error.message, message)
    t.deepEqual(remains(made.root, request.id), [])
  }
  await refused(
    { ...mapped(ALL, ALL, []), type: 'tmpfs', destination: '/t' },
    /only supported for bind-mounts/,
  )
  await refused(bind('/tmp', '/t', { options: ['bind', 'idmap'] }), /needs mappings/)
  await refused(bind('/tmp', '/t', { uidMappings: ALL }), /belong together/)
  await refused(bind('/tmp', '/t', { options: ['bind', 'idmap=uids=1-2'] }), /invalid id mapping/)
  if (!isRoot) await refused(bind('/tmp', '/t', mapped(ALL)), /not supported for rootless containers/)
})
