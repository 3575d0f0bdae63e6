import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Engine } from '../../ts/native/engine.ts'
import { needs } from '../fixtures/needs.ts'
import { bundleIn, makeBundle, type Bundle } from './bundle.ts'
import { elsewhere } from './elsewhere.ts'
import { problemsOf, type Kind, type Matrix } from './joined.ts'

const module = new URL('joined.ts', import.meta.url).href

/** A container that sleeps, without mounts: any of them may be denied in a joined namespace. */
function sleeper(made: Bundle, mappings: unknown, always: Kind[], some: Kind[]): Matrix {
  const { config } = made
  Object.assign(config, { mounts: [], hostname: undefined })
  config.process['args'] = ['/bin/sleep', '1000']
  Object.assign(config.linux, {
    maskedPaths: [],
    readonlyPaths: [],
    uidMappings: mappings,
    gidMappings: mappings,
  })
  const { root, bundle } = made
  const stdio = [-1, -1, -1]
  const request = { root, bundle, stdio, attached: true, pivot: true, newKeyring: true, preserveFds: 0 }
  return { request: { ...request, cgroupDisabled: false }, config, always, some }
}

const SHARED: Kind[] = ['network', 'ipc', 'uts', 'pid', 'cgroup', 'time']
const RANGE = [{ containerID: 0, hostID: 100_000, size: 65_536 }]

needs('root', 'busybox')('every subset of a pod with a user namespace, in every order', async (t) => {
  const made = makeBundle(t)
  chownSync(join(made.rootfs, 'dev'), 100_000, 100_000)
  const problems = await problemsOf(new Engine(), sleeper(made, RANGE, [], [...SHARED, 'user']))
  t.deepEqual(problems, [])
  t.deepEqual(readdirSync(made.root), [])
})

needs('root', 'busybox')('every subset of a pod without one', async (t) => {
  const made = makeBundle(t)
  const matrix = sleeper(made, undefined, [], SHARED)
  t.deepEqual(await problemsOf(new Engine(), matrix), [])
  t.deepEqual(readdirSync(made.root), [])
})

/** A bundle of an ordinary user, and what its matrix finds. */
async function asUser(
  t: { teardown(work: () => void): void },
  always: Kind[],
  some: Kind[],
): Promise<{ problems: string[]; left: string[] }> {
  const [uid, gid] = [12_345, 12_345]
  const folder = mkdtempSync(join(tmpdir(), 'caisson-joined-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o755)
  const made = bundleIn(folder, [])
  mkdirSync(made.root)
  for (const path of [folder, made.bundle, made.rootfs, made.root, join(made.rootfs, 'dev')])
    chownSync(path, uid, gid)
  const matrix = sleeper(made, [{ containerID: 0, hostID: uid, size: 1 }], always, some)
  const { status, output, errors } = await elsewhere(
    `const { problemsOf } = await import(${JSON.stringify(module)})
     console.log(JSON.stringify(await problemsOf(engine, ${JSON.stringify(matrix)})))`,
    { uid, gid },
  ).end
  if (status !== 0) throw new Error(errors)
  return { problems: JSON.parse(output) as string[], left: readdirSync(made.root) }
}

needs(
  'root',
  'userns',
  'busybox',
)('an ordinary user joins its own user namespace and every subset', async (t) => {
  const { problems, left } = await asUser(t, ['user'], ['network', 'ipc', 'uts', 'pid', 'time'])
  t.deepEqual(problems, [])
  t.deepEqual(left, [])
})

needs(
  'root',
  'userns',
  'busybox',
)('an ordinary user cannot join without the user namespace', async (t) => {
  const { problems, left } = await asUser(t, [], ['network', 'user'])
  // Of the four subsets only the two that join nothing but what they may are possible, in both orders.
  t.is(problems.length, 2, problems.join('\n'))
  for (const problem of problems) t.regex(problem, /new user.*linux\.namespaces: network .*EPERM/)
  t.deepEqual(left, [])
})
