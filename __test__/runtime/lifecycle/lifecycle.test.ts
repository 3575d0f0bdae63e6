import { join } from 'node:path'
import test from 'ava'
import { CaissonError, Runtime } from '../../../ts/index.ts'
import { bundle, script } from '../../fixtures/bundle.ts'
import { remains } from '../../fixtures/remains.ts'
import { scratch } from '../../fixtures/rootfs.ts'
import { needs } from '../../fixtures/needs.ts'
import { text } from '../../fixtures/text.ts'

const root = join(scratch('state'), 'root')
const runtime = new Runtime({ root })
let serial = 0
const id = (): string => `life-${process.pid}-${serial++}`
const privileged = needs('root')

const code =
  (expected: string) =>
  (error: unknown): boolean =>
    error instanceof CaissonError && error.code === expected

privileged('a container goes from created to running to stopped to gone', async (t) => {
  const name = id()
  const container = await runtime.create(name, {
    bundle: script('echo out; echo err >&2; read line; exit $line'),
  })
  t.is((await container.state()).status, 'created')
  t.is((await container.state()).pid, container.pid)
  await container.start()
  t.is((await container.state()).status, 'running')
  container.stdin!.end('7\n')
  const [stdout, stderr, exit] = await Promise.all([
    text(container.stdout),
    text(container.stderr),
    container.wait(),
  ])
  t.is(stdout, 'out\n')
  t.is(stderr, 'err\n')
  t.deepEqual(exit, { exitCode: 7, signal: null, oomKilled: false })
  t.is((await container.state()).status, 'stopped')
  t.is((await container.state()).pid, 0)
  await container.delete()
  await t.throwsAsync(container.state(), { code: 'ERR_NOT_FOUND' })
  const left = remains(root, name)
  t.deepEqual([left.processes, left.cgroups, left.directories], [[], [], []])
})

privileged('a signal is distinguished from an exit code', async (t) => {
  await using container = await runtime.create(id(), {
    bundle: bundle({ args: ['sleep', '60'] }),
    stdio: 'ignore',
  })
  await container.start()
  await container.kill('SIGKILL')
  t.deepEqual(await container.wait(), { exitCode: null, signal: 'SIGKILL', oomKilled: false })
  t.deepEqual(await container.wait(), { exitCode: null, signal: 'SIGKILL', oomKilled: false })
})

privileged('start twice, delete while running and kill after exit are refused', async (t) => {
  await using container = await runtime.create(id(), {
    bundle: bundle({ args: ['sleep', '60'] }),
    stdio: 'ignore',
  })
  await container.start()
  await t.throwsAsync(container.start(), { message: /already running/ })
  await t.throwsAsync(container.delete(), { message: /that is not stopped: running/ })
  await container.kill(9)
  await container.wait()
  await t.throwsAsync(container.kill(), { message: 'container not running' })
  await t.throwsAsync(container.start(), { message: /cannot start a container that has stopped/ })
})

privileged('an id in use is refused, and its container is not touched', async (t) => {
  const name = id()
  await using container = await runtime.create(name, { bundle: bundle(), stdio: 'ignore' })
  await t.throwsAsync(runtime.create(name, { bundle: bundle() }), {
    message: /container with given ID already exists/,
  })
  t.is((await container.state()).status, 'created')
})

test('ids that could leave the state root are refused', async (t) => {
  for (const bad of ['', '.', '..', 'a/b', '../x', 'x'.repeat(1024), 'a b']) {
    await t.throwsAsync(runtime.create(bad, { bundle: '/nowhere' }), {
      message: /invalid container ID format/,
    })
    await t.throwsAsync(runtime.get(bad), { message: /invalid container ID format/ })
  }
})

privileged('another Runtime of the same root finds, waits for and deletes a container', async (t) => {
  const name = id()
  const container = await runtime.create(name, { bundle: bundle({ args: ['sleep', '60'] }), stdio: 'ignore' })
  const other = await new Runtime({ root }).get(name)
  t.is(other.pid, container.pid)
  await other.start()
  t.true((await runtime.list()).some((state) => state.id === name && state.status === 'running'))
  const ended = other.wait()
  await other.kill('KILL')
  t.is((await ended).signal, 'SIGKILL')
  await other.delete({ force: true })
  t.false((await runtime.list()).some((state) => state.id === name))
})

test('a container that does not exist is ERR_NOT_FOUND', async (t) => {
  const error = await t.throwsAsync(runtime.get('nobody'))
  t.true(code('ERR_NOT_FOUND')(error))
})
