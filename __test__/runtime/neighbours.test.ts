// A stuck container delays itself and no other: the order in which promises settle shows it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { Runtime } from '../../ts/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { needs } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'

const folder = scratch('neighbours')
const runtime = new Runtime({ root: join(folder, 'root'), onWarning: () => {} })
const privileged = needs('root')
let serial = 0
const freshId = (): string => `neighbours-${process.pid}-${serial++}`

/** The whole lifecycle of another container. */
async function life(): Promise<number | null> {
  const container = await runtime.create(freshId(), { bundle: bundle({ args: ['true'] }), stdio: 'ignore' })
  await container.start()
  const { exitCode } = await container.wait()
  await container.delete()
  return exitCode
}

/** A Unix listener that accepts nothing, with a full backlog. */
async function fullListener(): Promise<{ path: string; end: () => void }> {
  const path = join(folder, `console-${serial++}.sock`)
  const server = `require('net').createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log())`
  const listener = spawn(process.execPath, ['-e', server], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(listener.stdout, 'data')
  listener.kill('SIGSTOP')
  const waiting: Socket[] = []
  for (let full = false; !full;) {
    const socket = connect(path)
    full = await new Promise((resolve) => {
      socket.once('connect', () => resolve(false)).once('error', () => resolve(true))
    })
    waiting.push(socket)
  }
  const end = (): void => {
    for (const socket of waiting) socket.destroy()
    listener.kill('SIGKILL')
  }
  return { path, end }
}

privileged('a console socket that accepts nothing delays its own container only', async (t) => {
  const { path, end } = await fullListener()
  t.teardown(end)
  const abort = new AbortController()
  const source = bundle({ edit: (spec) => void (spec.process!.terminal = true) })
  let settled = false
  const id = freshId()
  const creating = runtime
    .create(id, { bundle: source, consoleSocket: path, detached: true, signal: abort.signal })
    .finally(() => (settled = true))
  const failed = t.throwsAsync(creating)
  t.is(await life(), 0)
  t.false(settled, 'the backlog is still full')
  abort.abort(new Error('enough'))
  t.is((await failed)?.message, 'enough')
  await t.throwsAsync(runtime.get(id), { code: 'ERR_NOT_FOUND' })
})

privileged('a cgroup that cannot be removed delays its own delete only', async (t) => {
  const held = await runtime.create(freshId(), {
    bundle: bundle({ args: ['sleep', '600'] }),
    stdio: 'ignore',
  })
  await held.start()
  const own = readFileSync(`/proc/${held.pid}/cgroup`, 'utf8').trim().split('\n')
  const [, controllers, path] = (own.find((line) => line.split(':')[1] === 'pids') ?? own[0]!).split(':')
  const mount = controllers === '' ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${controllers}`
  const stranger = spawn('sleep', ['600'], { stdio: 'ignore' })
  t.teardown(() => stranger.kill('SIGKILL'))
  await held.kill('SIGKILL')
  await held.wait()
  writeFileSync(join(mount, path!, 'cgroup.procs'), String(stranger.pid))
  let settled = false
  const deleting = held.delete().finally(() => (settled = true))
  t.is(await life(), 0)
  t.false(settled, 'the stranger is still in its cgroup')
  stranger.kill('SIGKILL')
  await deleting
})

privileged('a hook that hangs delays its own container only, and ends with its create', async (t) => {
  const abort = new AbortController()
  const marker = `neighbour-hook-${process.pid}`
  const source = bundle({
    edit: (spec) =>
      void (spec.hooks = { createRuntime: [{ path: '/bin/sh', args: [marker, '-c', 'sleep 600 & wait'] }] }),
  })
  let settled = false
  const id = freshId()
  const creating = runtime
    .create(id, { bundle: source, signal: abort.signal, stdio: 'ignore' })
    .finally(() => (settled = true))
  const failed = t.throwsAsync(creating)
  t.is(await life(), 0)
  t.false(settled)
  abort.abort(new Error('enough'))
  t.is((await failed)?.message, 'enough')
  await t.throwsAsync(runtime.get(id), { code: 'ERR_NOT_FOUND' })
})
