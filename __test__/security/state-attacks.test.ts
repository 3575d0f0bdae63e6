/** A state root that another user could have filled: nothing in it is trusted, run or removed. Each has a canary. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CaissonError, Runtime, type Container } from '../../ts/index.ts'
import { needs } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'

const ATTACKER = 54_321

interface Planted {
  root: string
  /** Written by the attacker's hook. */
  hookRan: string
  /** A tree of the victim's, named by the state file. */
  precious: string
}

/** A stopped container `job` with a poststop hook, and a directory to be removed with it. */
function plant(name: string): Planted {
  const top = scratch(name)
  const [root, hookRan, precious] = [join(top, 'root'), join(top, 'hook-ran'), join(top, 'precious')]
  mkdirSync(join(root, 'job'), { recursive: true, mode: 0o700 })
  mkdirSync(precious)
  writeFileSync(join(precious, 'canary'), 'alive')
  const hook = { path: '/bin/sh', args: ['sh', '-c', `echo pwned > ${hookRan}`] }
  writeFileSync(
    join(root, 'job/config.json'),
    JSON.stringify({
      ociVersion: '1.0.2',
      root: { path: 'rootfs' },
      linux: { namespaces: [{ type: 'mount' }] },
      hooks: { poststop: [hook] },
    }),
    {
      mode: 0o600,
    },
  )
  const state = {
    version: 1,
    id: 'job',
    ociVersion: '1.0.2',
    bundle: top,
    rootfs: join(top, 'rootfs'),
    annotations: {},
    created: '2026-01-01T00:00:00.000000000Z',
    owner: 'root',
    status: 'ready',
    attached: false,
    ownerPid: 1,
    ownerStartTime: '1',
    bootId: 'another',
    pid: null,
    startTime: null,
    cgroup: { mode: 'none', directories: [] },
    terminal: false,
    pidNamespace: true,
    directory: precious,
  }
  writeFileSync(join(root, 'job/state.json'), JSON.stringify(state), { mode: 0o600 })
  return { root, hookRan, precious }
}

/** Every verb refuses, and nothing has happened. */
async function refused(t: ExecutionContext, { root, hookRan, precious }: Planted): Promise<void> {
  const runtime = new Runtime({ root })
  const job = async (use: (container: Container) => Promise<unknown>): Promise<unknown> =>
    use(await runtime.get('job'))
  const verbs: Record<string, () => Promise<unknown>> = {
    list: () => runtime.list(),
    state: () => job((container) => container.state()),
    start: () => job((container) => container.start()),
    kill: () => job((container) => container.kill('SIGTERM')),
    wait: () => job((container) => container.wait()),
    delete: () => job((container) => container.delete()),
    'delete --force': () => job((container) => container.delete({ force: true })),
    create: () => runtime.create('another', { rootfs: '/' }),
  }
  for (const [verb, attempt] of Object.entries(verbs)) {
    const error = await attempt().then(
      () => undefined,
      (cause: unknown) => cause,
    )
    t.true(error instanceof CaissonError, `${verb} is refused`)
    t.is((error as CaissonError | undefined)?.code, 'ERR_STATE_UNSAFE', `${verb}: ${String(error)}`)
  }
  t.false(existsSync(hookRan), 'no hook has run')
  t.is(readFileSync(join(precious, 'canary'), 'utf8'), 'alive')
  t.true(existsSync(join(root, 'job/state.json')))
}

needs('root')('a state root of another user is refused by every verb, as root too', async (t) => {
  const planted = plant('foreign-root')
  chownSync(join(planted.root, 'job'), ATTACKER, ATTACKER)
  chownSync(planted.root, ATTACKER, ATTACKER)
  await refused(t, planted)
})

test('a state root that others may write to is refused by every verb', async (t) => {
  const planted = plant('open-root')
  chmodSync(planted.root, 0o777)
  await refused(t, planted)
})

test('a state root that is a symbolic link is refused by every verb', async (t) => {
  const planted = plant('linked-root')
  const link = join(scratch('link'), 'root')
  symlinkSync(planted.root, link)
  await refused(t, { ...planted, root: link })
})

test('a state file names no tree outside of what is made for containers', async (t) => {
  const planted = plant('named-tree')
  const runtime = new Runtime({ root: planted.root })
  await (await runtime.get('job')).delete({ force: true })
  t.is(readFileSync(join(planted.precious, 'canary'), 'utf8'), 'alive')
  t.false(existsSync(join(planted.root, 'job')))
  // In the right place and with a valid name, but made for another container.
  const other = plant('named-other')
  const tree = join(other.root, '.bundles', '0123456789abcdef')
  mkdirSync(tree, { recursive: true, mode: 0o700 })
  writeFileSync(join(tree, 'lease.json'), JSON.stringify({ chainIds: [], state: '/elsewhere', bootId: '' }))
  const file = join(other.root, 'job/state.json')
  writeFileSync(file, readFileSync(file, 'utf8').replace(other.precious, tree))
  await (await new Runtime({ root: other.root }).get('job')).delete()
  t.true(existsSync(tree))
})
