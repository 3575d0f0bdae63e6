/**
 * Plain JavaScript may pass anything as an option of a container: an invalid one is refused by name, with this
 * package's error, before anything is made.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CaissonError, Runtime } from '../../ts/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { needs } from '../fixtures/needs.ts'
import { rootfs, scratch } from '../fixtures/rootfs.ts'

const folder = scratch('container-options')
const root = join(folder, 'root')
const runtime = new Runtime({ root, store: join(folder, 'store'), onWarning: () => {} })
const wrong = (value: unknown): never => value as never
const able = process.geteuid?.() === 0 ? needs('root') : needs('userns')

const FLAG = ['true', 1, null, [], {}]
const PATH = ['', 'a\0b', 1, null, ['a'], {}]
const SIZE = [-1, 1.5, Number.NaN, Infinity, 'much', '', null, true, ['64'], {}]
const CPUS = ['2', 0, -1, Number.NaN, Infinity, null, [1], true]
const WHOLE = ['2', -1, 1.5, Number.NaN, Infinity, null, [1], true, 1n]
const TIME = ['2', -1, Number.NaN, Infinity, 2 ** 31, null, [1]]
const SIGNAL = [true, 'abort', {}, null, new AbortController()]

const SPEC = {
  cwd: ['relative', '', 1, null, ['/']],
  env: ['A=b', null, ['A=b'], { A: 1 }, { A: null }, { '': 'a' }, { 'A=B': 'c' }, { A: 'a\0b' }],
  user: [
    'nobody',
    '',
    -1,
    1.5,
    Number.NaN,
    2 ** 32,
    null,
    true,
    [0],
    {},
    { uid: '0' },
    { uid: 0, groups: [] },
  ],
  hostname: [1, null, ['a'], 'a\0b'],
  memory: [...SIZE, 0, 1, '0', '1023KiB'],
  cpus: CPUS,
  pids: [...WHOLE, 0],
  noNewPrivileges: FLAG,
  readonly: FLAG,
  mounts: [
    null,
    'a',
    {},
    [null],
    ['/a'],
    [{}],
    // Misspelt, it would be writable.
    [{ destination: '/data', source: '/', options: ['bind', 'readonly'] }],
    [{ destination: '/data', source: '/', options: ['bind'], readonly: true }],
  ],
  terminal: FLAG,
  spec: [null, 'a', {}, true, () => undefined, async () => ({}), () => null],
}
const SHARED = {
  ...SPEC,
  detached: FLAG,
  signal: SIGNAL,
  consoleSocket: PATH,
  preserveFds: [...WHOLE, 247],
  pivot: FLAG,
  newKeyring: FLAG,
  stdio: ['everything', ['all'], [{}], {}, true, ['pipe', 'pipe', 'pipe', 'pipe']],
  // For images only; the last values are valid for them.
  layering: ['both', null, true, 'copy'],
  writable: ['memory', null, true, 'tmpfs'],
  writableSize: [...SIZE, '1MiB'],
  idMappings: ['all', null, 1, {}, { uidMappings: [], gidMappings: [] }, 'subordinate'],
}
const CREATE = {
  ...SHARED,
  args: ['id', [], [1], ['a\0b'], null, {}],
  rootfs: [...PATH, undefined],
  bundle: [...PATH, '/a/second/source'],
  image: ['', 1, null, [], {}, { bundle: '' }, { rootfs: 1 }, 'host'],
  config: [...PATH, '/a/configuration/without/a/bundle'],
}
const RUN = {
  ...SHARED,
  input: [1, null, true, {}, () => []],
  timeout: TIME,
  killSignal: ['SIGNOPE', '', null, true, {}, -1, 65, 1.5],
  forceKillAfterDelay: TIME,
  encoding: ['utf9', '', null, 8, true],
  reject: FLAG,
  maxBuffer: ['2', -1, Number.NaN, null],
  buffer: FLAG,
}

const shown = (value: unknown): string =>
  typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value))

async function refused(t: ExecutionContext, what: string, names: RegExp, call: () => unknown): Promise<void> {
  try {
    await call()
    t.fail(`${what}: was accepted`)
  } catch (error) {
    if (!(error instanceof CaissonError)) return t.fail(`${what}: ${String(error)}`)
    t.is(error.code, 'ERR_INVALID_OPTION', `${what}: ${error.message}`)
    t.regex(error.message, names, what)
  }
  const left = readdirSync(folder)
  t.deepEqual(
    left.filter((name) => !(name === 'root' && readdirSync(root).length === 0)),
    [],
    what,
  )
}

/** All calls share one id: everything is refused before it is taken. */
const create = (options: unknown): Promise<unknown> => runtime.create('wrong', wrong(options))
const run = async (options: unknown): Promise<void> =>
  void (await runtime.run({ rootfs: rootfs() }, ['true'], wrong(options)))
const plan = (options: unknown): Promise<unknown> => runtime.plan(bundle(), wrong(options))

for (const [name, call, given, options] of [
  ['create', create, { rootfs: rootfs() }, CREATE],
  ['run', run, {}, RUN],
  ['plan', plan, {}, { ...SPEC, args: CREATE.args }],
] as const) {
  test(`${name}: invalid values of options are refused`, async (t) => {
    for (const [option, values] of Object.entries(options)) {
      const about =
        option === 'image' || option === 'bundle' || option === 'rootfs' ? /./ : new RegExp(option, 'i')
      for (const value of values as readonly unknown[]) {
        const names = option === 'killSignal' ? /signal/i : about
        await refused(t, `${option} ${shown(value)}`, names, () => call({ ...given, [option]: value }))
      }
    }
  })

  test(`${name}: unknown options and options that are not an object are refused`, async (t) => {
    await refused(t, 'unknown', /nonsense: unknown option/, () => call({ ...given, nonsense: 1 }))
    for (const value of [null, 'text', 1, true, [], () => {}])
      await refused(t, shown(value), /must be an object/, () => call(value))
  })
}

test('new Runtime', async (t) => {
  const unused = join(folder, 'unused')
  const options = {
    root: PATH,
    cgroupManager: ['systemd', '', null, 1],
    rootless: FLAG,
    store: ['', 1, null, [], {}, true],
    onWarning: [true, 'f', {}, null],
    nonsense: [1],
  }
  for (const [option, values] of Object.entries(options))
    for (const value of values)
      await refused(t, `${option} ${shown(value)}`, new RegExp(option), () =>
        new Runtime(wrong({ root: unused, [option]: value })).create('x', { rootfs: '/nonexistent' }),
      )
  await refused(t, 'null', /must be an object/, () => new Runtime(wrong(null)))
  t.false(existsSync(unused))
})

test('an unknown option is answered with the closest known one', async (t) => {
  const meant: [string, string][] = [
    ['memroy', 'memory'],
    ['timout', 'timeout'],
    ['Env', 'env'],
    ['signall', 'signal'],
  ]
  for (const [name, option] of meant) {
    const error = await t.throwsAsync(
      async () => void (await runtime.run({ rootfs: '/' }, ['true'], { [name]: 1 })),
    )
    t.is((error as CaissonError).hint, `did you mean ${option}?`)
  }
})

test('invalid sources, programs and bundles', async (t) => {
  for (const source of [
    undefined,
    null,
    1,
    [],
    {},
    '',
    { bundle: 1 },
    { rootfs: '' },
    { bundle: 'a', rootfs: 'b' },
  ])
    await refused(t, shown(source), /source/, async () => void (await runtime.run(wrong(source), ['true'])))
  for (const path of [undefined, null, 1, '', [], {}])
    await refused(t, shown(path), /bundle/, () => runtime.plan(wrong(path)))
  await refused(t, 'input', /input: needs a stdin/, () => run({ input: 'x', stdio: 'ignore' }))
})

able('the configuration of a source is used, and calls of a container take what they say', async (t) => {
  const runtime = new Runtime({ root: join(scratch('container-options'), 'root') })
  const other = bundle({ args: ['sh', '-c', 'echo other'] })
  const plain = bundle({ args: ['sh', '-c', 'echo plain'] })
  const { stdout } = await runtime.run({ bundle: plain, config: join(other, 'config.json') })
  t.is(stdout, 'other\n')

  await using container = await runtime.create(`options-${process.pid}`, { bundle: plain, stdio: 'ignore' })
  const code = { code: 'ERR_INVALID_OPTION' } as never
  for (const value of [null, 'x', [], { nonsense: 1 }]) {
    await t.throwsAsync(container.start(wrong(value)), code)
    await t.throwsAsync(container.wait(wrong(value)), code)
    await t.throwsAsync(container.kill('SIGKILL', wrong(value)), code)
    await t.throwsAsync(container.delete(wrong(value)), code)
  }
  for (const signal of SIGNAL) {
    await t.throwsAsync(container.start(wrong({ signal })), code)
    await t.throwsAsync(container.wait(wrong({ signal })), code)
  }
  for (const flag of FLAG) {
    await t.throwsAsync(container.kill('SIGKILL', wrong({ all: flag })), code)
    await t.throwsAsync(container.delete(wrong({ force: flag })), code)
  }
  for (const signal of [null, {}, true, [], 'SIGNOPE', 1.5])
    await t.throwsAsync(container.kill(wrong(signal)), code)
  t.is((await container.state()).status, 'created')
})
