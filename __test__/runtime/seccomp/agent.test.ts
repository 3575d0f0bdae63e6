/** `listenerPath`: the agent gets the listener, from whichever process starts the container, as with runc. */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { CaissonError, Runtime } from '../../../ts/index.ts'
import type { RuntimeSpec } from '../../../ts/spec/index.ts'
import { script } from '../../fixtures/bundle.ts'
import { needs } from '../../fixtures/needs.ts'
import { nextLine, program } from '../../fixtures/program.ts'
import { scratch } from '../../fixtures/rootfs.ts'
import { agent } from '../../fixtures/seccomp-agent.ts'
import { text } from '../../fixtures/text.ts'

interface Message {
  pid: number
  state: { pid: number }
}

const able = process.geteuid?.() === 0 ? needs('python3') : needs('userns', 'python3')
const root = scratch('agent-state')
const runtime = new Runtime({ root })

function bundleFor(path: string, names = ['mkdir', 'mkdirat']): string {
  return script('mkdir /dev/shm/x; echo $?', {
    edit: (spec: RuntimeSpec) => {
      spec.annotations = { 'org.example.key': 'value' }
      spec.linux!.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        listenerPath: path,
        listenerMetadata: 'of the test',
        syscalls: [{ names, action: 'SCMP_ACT_NOTIFY' }],
      }
    },
  })
}

able('an agent gets state and listener, and its answers count', async (t) => {
  const peer = await agent('deny')
  try {
    const bundle = bundleFor(peer.path)
    const container = await runtime.create('agent-1', { bundle })
    const { pid } = container
    const stdout = container.stdout!.setEncoding('utf8').toArray()
    const stderr = container.stderr!.setEncoding('utf8').toArray()
    await container.start()
    const state = JSON.parse(await peer.line()) as Record<string, unknown>
    await container.wait()
    t.is((await stdout).join(''), '1\n')
    t.regex((await stderr).join(''), /quota/i)
    await container.delete()
    t.is(await peer.line(), 'gone')
    t.deepEqual(state, {
      ociVersion: (state['state'] as { ociVersion: string }).ociVersion,
      fds: ['seccompFd'],
      pid,
      metadata: 'of the test',
      state: {
        ociVersion: state['ociVersion'],
        id: 'agent-1',
        status: 'creating',
        pid,
        bundle,
        annotations: { 'org.example.key': 'value' },
      },
    })
  } finally {
    await peer.close()
  }
})

able('whatever is notified, the listener arrives', async (t) => {
  for (const names of [
    ['write'],
    ['sendmsg'],
    ['close'],
    ['execve'],
    ['futex', 'nanosleep', 'clock_nanosleep'],
    ['exit_group'],
  ]) {
    const peer = await agent('allow')
    try {
      const { stdout } = await runtime.run({ bundle: bundleFor(peer.path, names) })
      t.is(stdout, '0\n', names[0])
      t.regex(await peer.line(), /seccompFd/)
      t.is(await peer.line(), 'gone')
    } finally {
      await peer.close()
    }
  }
})

able('a detached container that another process starts has its agent, too', async (t) => {
  const peer = await agent('deny')
  try {
    const container = await runtime.create('agent-2', {
      bundle: bundleFor(peer.path),
      detached: true,
      stdio: 'ignore',
    })
    const other = program(`
      import { Runtime } from 'caisson'
      const container = await new Runtime({ root: ${JSON.stringify(root)} }).get('agent-2')
      await container.start().then(() => console.log('started'), (error) => console.log(error.code, error.message))
    `)
    t.is(await nextLine(other), 'started')
    await other.ended
    const state = JSON.parse(await peer.line()) as { pid: number }
    t.is(state.pid, container.pid)
    t.is(await peer.line(), 'gone')
  } finally {
    await (await runtime.get('agent-2').catch(() => undefined))?.delete({ force: true })
    await peer.close()
  }
})

able('an agent that is gone fails the start, which may be tried again', async (t) => {
  const first = await agent('allow')
  const container = await runtime.create('agent-3', { bundle: bundleFor(first.path) })
  await first.close()
  const error = await t.throwsAsync(container.start(), { instanceOf: CaissonError })
  t.regex(
    error.message,
    /^failed to connect with seccomp agent specified in the seccomp profile: connect\(.*ECONNREFUSED/,
  )
  t.is(error.phase, 'start')
  t.is((await container.state()).status, 'created')
  await container.delete({ force: true })
  t.false(readdirSync(root).includes('agent-3'))
})

able('an agent that accepts nothing holds up nothing but its own container', async (t) => {
  const peer = await agent('deaf')
  try {
    const container = await runtime.create('agent-4', { bundle: bundleFor(peer.path) })
    const starting = container.start()
    starting.catch(() => {})
    // Another container is made and run meanwhile.
    const { stdout } = await runtime.run({ bundle: script('echo free') })
    t.is(stdout, 'free\n')
    await container.delete({ force: true })
    const error = await t.throwsAsync(starting, { instanceOf: CaissonError })
    t.is(error.code, 'ERR_INVALID_STATE')
  } finally {
    await peer.close()
  }
})

needs(
  'root',
  'python3',
  'runc',
)('the message is the one that runc sends', async (t) => {
  const peer = await agent('deny', false)
  try {
    const bundle = bundleFor(peer.path)
    const runc = ['--root', join(root, 'runc'), 'run', '--bundle', bundle, 'agent-runc']
    const child = spawn('runc', runc, { stdio: ['pipe', 'ignore', 'pipe'] })
    child.stdin.end()
    t.regex(await text(child.stderr), /quota/i)
    const theirs = JSON.parse(await peer.line()) as Message
    t.is(await peer.line(), 'gone')
    await runtime.run({ bundle }, undefined, { id: 'agent-5', reject: false })
    const ours = JSON.parse(await peer.line()) as Message
    const without = (message: Message): unknown => ({
      ...message,
      ociVersion: '',
      pid: message.pid === message.state.pid,
      state: { ...message.state, id: '', pid: 0, ociVersion: '' },
    })
    t.deepEqual(without(ours), without(theirs))
  } finally {
    await peer.close()
  }
})
