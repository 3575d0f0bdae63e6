import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { addon } from '../../ts/native/addon.ts'
import { Engine } from '../../ts/native/engine.ts'
import { readContainer, signalContainer } from '../../ts/native/state.ts'
import { needs } from '../fixtures/needs.ts'
import { makeBundle } from './bundle.ts'
import {
  create,
  exitOf,
  failureOf,
  freshId,
  isAlive,
  remains,
  requestFor,
  runToEnd,
  statusOf,
  textOf,
  until,
} from './container.ts'

const engine = new Engine()

test('a container runs its program and reports the exit code', async (t) => {
  const made = makeBundle(t, ['sh', '-c', 'echo out; echo err >&2; exit 7'])
  const request = requestFor(made)
  const { stdout, stderr, ...exit } = await runToEnd(t, engine, request)
  t.deepEqual(exit, { exitCode: 7, signal: null, oomKilled: false })
  t.is(stdout, 'out\n')
  t.is(stderr, 'err\n')
  t.deepEqual(remains(made.root, request.id), [])
})

test('what is written to the stdin pipe arrives, and its end too', async (t) => {
  const made = makeBundle(t, ['cat'])
  const request = requestFor(made, { stdio: [-2, -2, 2] })
  const created = await create(t, engine, request)
  const output = textOf(created.stdout)
  await engine.start(made.root, request.id)
  const { Socket } = await import('node:net')
  new Socket({ fd: created.stdin ?? -1, readable: false, writable: true }).end('question\n')
  t.is(await output, 'question\n')
  t.is((await exitOf(engine, created.handle)).exitCode, 0)
})

test('the status is derived at every step', async (t) => {
  const made = makeBundle(t, ['sleep', '1000'])
  const request = requestFor(made, { stdio: [-1, -1, -1] })
  const created = await create(t, engine, request)
  t.is(await statusOf(made.root, request.id), 'created')
  t.is(await statusOf(made.root, request.id), 'created', 'looking changes nothing')
  await engine.start(made.root, request.id)
  await until(async () => (await statusOf(made.root, request.id)) === 'running')
  await signalContainer(made.root, request.id, 9)
  t.deepEqual(await exitOf(engine, created.handle), { exitCode: null, signal: 9, oomKilled: false })
  t.is(await statusOf(made.root, request.id), 'stopped')
  await engine.destroy({ root: made.root, id: request.id, force: false })
  t.is((await failureOf(t, readContainer(made.root, request.id))).code, 'ERR_NOT_FOUND')
})

test('the state file says what cannot be derived, for root only', async (t) => {
  const made = makeBundle(t)
  made.config['annotations'] = { 'org.example': 'x' }
  made.save()
  const request = requestFor(made)
  const created = await create(t, engine, request)
  const folder = join(made.root, request.id)
  const state = JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8')) as Record<string, unknown>
  t.like(state, {
    version: 2,
    id: request.id,
    ociVersion: '1.0.2',
    bundle: made.bundle,
    rootfs: made.rootfs,
    annotations: { 'org.example': 'x' },
    status: 'ready',
    attached: false,
    ownerPid: process.pid,
    pid: created.pid,
    startTime: created.startTime,
    pidNamespace: true,
    terminal: false,
  })
  t.deepEqual(readFileSync(join(folder, 'config.json')), readFileSync(join(made.bundle, 'config.json')))
  for (const name of ['state.json', 'config.json'])
    t.is(statSync(join(folder, name)).mode & 0o777, 0o600, name)
})

test('start works once', async (t) => {
  const made = makeBundle(t, ['sleep', '1000'])
  const request = requestFor(made, { stdio: [-1, -1, -1] })
  const created = await create(t, engine, request)
  await engine.start(made.root, request.id)
  const again = await failureOf(t, engine.start(made.root, request.id))
  t.is(again.code, 'ERR_INVALID_STATE')
  t.is(again.message, 'cannot start an already running container')
  await signalContainer(made.root, request.id, 9)
  await exitOf(engine, created.handle)
  const late = await failureOf(t, engine.start(made.root, request.id))
  t.is(late.message, 'cannot start a container that has stopped')
})

test('a running container is destroyed only by force, a created one as it is', async (t) => {
  const made = makeBundle(t, ['sleep', '1000'])
  const running = requestFor(made, { stdio: [-1, -1, -1] })
  await create(t, engine, running)
  await engine.start(made.root, running.id)
  const refused = await failureOf(t, engine.destroy({ root: made.root, id: running.id, force: false }))
  t.is(refused.code, 'ERR_INVALID_STATE')
  t.regex(refused.message, /^cannot delete container \S+ that is not stopped: running$/)
  await engine.destroy({ root: made.root, id: running.id, force: true })
  const waiting = requestFor(made)
  await create(t, engine, waiting)
  await engine.destroy({ root: made.root, id: waiting.id, force: false })
  t.deepEqual([...remains(made.root, running.id), ...remains(made.root, waiting.id)], [])
})

test('signals reach the program, and a stopped container cannot be signalled', async (t) => {
  const made = makeBundle(t, ['sh', '-c', 'trap "exit 9" TERM; echo ready; while :; do sleep 0.01; done'])
  const request = requestFor(made)
  const created = await create(t, engine, request)
  const output = textOf(created.stdout)
  await engine.start(made.root, request.id)
  const exit = exitOf(engine, created.handle)
  let sent = false
  // The trap may not be set yet when the first one arrives: pid 1 ignores a signal that it has no handler for.
  for (let ended = false; !ended;) {
    if (sent)
      await signalContainer(made.root, request.id, 15).catch(() => {}) // it may have ended
    else await signalContainer(made.root, request.id, 15)
    sent = true
    ended = await Promise.race([
      exit.then(() => true),
      new Promise<false>((resolve) => setTimeout(resolve, 20, false)),
    ])
  }
  t.true(sent)
  t.is((await exit).exitCode, 9)
  t.is(await output, 'ready\n')
  await t.throwsAsync(signalContainer(made.root, request.id, 15), {
    code: 'ERR_INVALID_STATE',
    message: 'container not running',
  })
})

test('two engines in one process do not disturb each other', async (t) => {
  const made = makeBundle(t, ['sh', '-c', 'exit 3'])
  const engines = [engine, new Engine(), new Engine()]
  const exits = await Promise.all(engines.map((each) => runToEnd(t, each, requestFor(made))))
  t.deepEqual(
    exits.map((exit) => exit.exitCode),
    [3, 3, 3],
  )
})

test('many containers at once', async (t) => {
  const made = makeBundle(t, ['sh', '-c', 'echo $$'])
  const requests = Array.from({ length: 12 }, () => requestFor(made))
  const outcomes = await Promise.all(requests.map((request) => runToEnd(t, engine, request)))
  t.true(outcomes.every(({ exitCode, stdout }) => exitCode === 0 && stdout === '1\n'))
  t.deepEqual(
    requests.flatMap((request) => remains(made.root, request.id)),
    [],
  )
})

test('runtime hooks see a container that is being created, and its create waits for them', async (t) => {
  const made = makeBundle(t, ['sh', '-c', 'exit 6'])
  const seen = join(made.root, '..', `seen-${freshId()}`)
  made.config['hooks'] = {
    createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', `cat > ${seen}`] }],
  }
  made.save()
  const request = requestFor(made)
  const created = await create(t, engine, request)
  const state = JSON.parse(readFileSync(seen, 'utf8')) as Record<string, unknown>
  t.like(state, { id: request.id, status: 'creating', pid: created.pid, bundle: made.bundle })
  t.is(await statusOf(made.root, request.id), 'created')
  await engine.start(made.root, request.id)
  t.is((await exitOf(engine, created.handle)).exitCode, 6)
})

test('a container that dies while its hooks run ends them, and its create fails at once', async (t) => {
  const made = makeBundle(t)
  const pid = join(made.root, '..', `pid-${freshId()}`)
  const script = `sed 's/.*"pid":\\([0-9]*\\).*/\\1/' > ${pid}.new; mv ${pid}.new ${pid}; sleep 1000`
  made.config['hooks'] = { prestart: [{ path: '/bin/sh', args: ['sh', '-c', script] }] }
  made.save()
  const request = requestFor(made)
  const creating = failureOf(t, create(t, engine, request))
  await until(() => existsSync(pid))
  process.kill(Number(readFileSync(pid, 'utf8')), 'SIGKILL')
  t.regex((await creating).message, /^container init was killed by signal 9/)
  t.deepEqual(remains(made.root, request.id), [])
})

test('a create that is aborted while a hook hangs undoes everything', async (t) => {
  const made = makeBundle(t)
  const begun = join(made.root, '..', `begun-${freshId()}`)
  const script = `touch ${begun}; sleep 1000`
  made.config['hooks'] = { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', script] }] }
  made.save()
  const request = requestFor(made)
  const abort = new AbortController()
  const creating = failureOf(t, engine.create(request, abort.signal))
  await until(() => existsSync(begun))
  abort.abort()
  t.regex((await creating).message, /deleted while it was created/)
  t.deepEqual(remains(made.root, request.id), [])
})

test('a released container runs on, and is collected when it ends', async (t) => {
  const made = makeBundle(t, ['sleep', '1000'])
  const request = requestFor(made, { stdio: [-1, -1, -1] })
  const created = await create(t, engine, request)
  await engine.start(made.root, request.id)
  engine.release(created.handle)
  t.true(isAlive(created.pid))
  await signalContainer(made.root, request.id, 9)
  await until(() => !existsSync(`/proc/${String(created.pid)}`)) // no zombie stays
  t.is(await statusOf(made.root, request.id), 'stopped')
  await engine.destroy({ root: made.root, id: request.id, force: false })
  t.deepEqual(remains(made.root, request.id), [])
})

test('of two concurrent destroys one does the work, the other gets ERR_NOT_FOUND', async (t) => {
  const made = makeBundle(t, ['sleep', '1000'])
  const request = requestFor(made, { stdio: [-1, -1, -1] })
  await create(t, engine, request)
  const other = new Engine()
  const target = { root: made.root, id: request.id, force: true }
  const results = await Promise.allSettled([engine.destroy(target), other.destroy(target)])
  const failures = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  )
  t.true(failures.length <= 1)
  for (const failure of failures) t.like(failure, { code: 'ERR_NOT_FOUND' })
  t.deepEqual(remains(made.root, request.id), [])
})

needs('cgroup')('a frozen container is paused, and SIGKILL and destroy end it all the same', async (t) => {
  const made = makeBundle(t, ['sleep', '1000'])
  for (const end of ['kill', 'destroy']) {
    const request = requestFor(made, { stdio: [-1, -1, -1] })
    const created = await create(t, engine, request)
    await engine.start(made.root, request.id)
    const freezer = remains(made.root, request.id).find((path) => existsSync(join(path, 'freezer.state')))
    const unified = remains(made.root, request.id).find((path) => existsSync(join(path, 'cgroup.freeze')))
    if (freezer) writeFileSync(join(freezer, 'freezer.state'), 'FROZEN')
    else writeFileSync(join(unified!, 'cgroup.freeze'), '1')
    await until(async () => (await statusOf(made.root, request.id)) === 'paused')
    if (end === 'kill') await signalContainer(made.root, request.id, 9)
    else await engine.destroy({ root: made.root, id: request.id, force: true })
    t.is((await exitOf(engine, created.handle)).signal, 9)
  }
})

needs('cgroup')('SIGKILL ends what has outlived the first process', async (t) => {
  const made = makeBundle(t, ['true'])
  const request = requestFor(made, { stdio: [-1, -1, -1] })
  const created = await create(t, engine, request)
  const sleeper = spawn('sleep', ['1000'])
  const ended = once(sleeper, 'exit')
  t.teardown(() => sleeper.kill('SIGKILL'))
  for (const directory of remains(made.root, request.id)) {
    const procs = join(directory, 'cgroup.procs')
    if (existsSync(procs)) writeFileSync(procs, String(sleeper.pid))
  }
  await engine.start(made.root, request.id)
  await exitOf(engine, created.handle)
  await t.throwsAsync(signalContainer(made.root, request.id, 15), { message: 'container not running' })
  await signalContainer(made.root, request.id, 9)
  t.deepEqual(await ended, [null, 'SIGKILL'])
  await t.throwsAsync(signalContainer(made.root, request.id, 9), { message: 'container not running' })
})

needs('cgroup')('a process that another freezer holds is soon reported as frozen', async (t) => {
  const freezer = '/sys/fs/cgroup/freezer'
  if (!existsSync(join(freezer, 'tasks'))) {
    t.pass('cgroup v2 kills frozen processes')
    return
  }
  const made = makeBundle(t, ['sleep', '1000'])
  const request = requestFor(made, { stdio: [-1, -1, -1], cgroupDisabled: true })
  const created = await create(t, engine, request)
  await engine.start(made.root, request.id)
  const foreign = join(freezer, request.id)
  mkdirSync(foreign)
  const state = (text: string): void => writeFileSync(join(foreign, 'freezer.state'), text)
  writeFileSync(join(foreign, 'cgroup.procs'), String(created.pid))
  t.teardown(() => existsSync(foreign) && state('THAWED'))
  state('FROZEN')
  const begun = performance.now()
  const destroy = engine.destroy({ root: made.root, id: request.id, force: true })
  const failure = await t.throwsAsync(destroy, { message: new RegExp(`is frozen by the cgroup ${foreign} `) })
  t.like(failure, { code: 'ERR_INVALID_STATE', path: foreign })
  t.true(performance.now() - begun < 5000)
  state('THAWED')
  await engine.destroy({ root: made.root, id: request.id, force: true })
  rmdirSync(foreign)
})

test('a plan is a dry run', (t) => {
  const made = makeBundle(t)
  const request = requestFor(made)
  const text = addon().planContainer(request)
  t.is(typeof text, 'string')
  const plan = JSON.parse(text as string) as { id: string; setup: unknown[] }
  t.is(plan.id, request.id)
  t.true(plan.setup.length > 10)
  t.deepEqual(remains(made.root, request.id), [])
})

test('a plan shows the limits, and refuses those that this host does not have', (t) => {
  const plan = (resources: object): string => {
    const made = makeBundle(t)
    made.config.linux.resources = resources
    made.save()
    const request = requestFor(made)
    const answer = addon().planContainer(request)
    t.deepEqual(remains(made.root, request.id), [])
    return JSON.stringify(
      typeof answer === 'string' ? (JSON.parse(answer) as { cgroup: unknown }).cgroup : answer,
    )
  }
  t.regex(
    plan({ memory: { limit: 67_108_864 } }),
    /"file":"memory\.(?:max|limit_in_bytes)","value":"67108864"/,
  )
  t.regex(plan({ pids: { limit: 17 } }), /"file":"pids\.max","value":"17"/)
  t.regex(plan({ cpu: { shares: 512 } }), /"file":"cpu\.(?:weight","value":"59"|shares","value":"512")/)
  t.regex(plan({}), /"RestrictDevices":\{[^}]*"rules":\["deny a",/)
  t.regex(plan({ rdma: { mlx5_1: { hcaHandles: 3 } } }), /"rdma\.max"|"ERR_CGROUP_UNAVAILABLE"/)
})

test('limits are refused where there are no cgroups, and the default rules of devices are not', (t) => {
  const plan = (resources: object): unknown => {
    const made = makeBundle(t)
    made.config.linux.resources = resources
    made.save()
    return addon().planContainer({ ...requestFor(made), cgroupDisabled: true })
  }
  const devices = [{ allow: false, access: 'rwm' }]
  for (const resources of [{}, { devices }, { memory: { limit: 0 } }]) t.is(typeof plan(resources), 'string')
  for (const limits of [{ memory: { limit: 67_108_864 } }, { pids: { limit: 0 } }, { cpu: { cpus: '0' } }])
    t.like(plan({ devices, ...limits }), {
      code: 'ERR_CGROUP_UNAVAILABLE',
      message: 'cannot set limits without cgroups',
    })
})
