/** runtime.md, "Operations". */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { COMMAND } from '../cli/session.ts'
import { bundle } from '../fixtures/bundle.ts'
import { missing } from '../fixtures/needs.ts'
import { until } from '../fixtures/until.ts'
import { assertGone, observedRuntime, output, requirements, root, uniqueId } from './requirements.ts'

const { runtime } = observedRuntime()
const absent = { code: 'ERR_NOT_FOUND' }

for (const verb of ['state', 'create', 'start', 'kill', 'delete'])
  test(`${verb} without an id is an error`, (t) => {
    const { status, stderr } = spawnSync(process.execPath, [COMMAND, verb], { encoding: 'utf8', cwd: '/' })
    t.is(status, 1)
    t.regex(stderr, /requires/)
  })

test('state, start, kill and delete of a container that does not exist are errors', async (t) => {
  const found = runtime.get(uniqueId())
  await t.throwsAsync(found, absent)
  const container = await runtime.create(uniqueId(), { bundle: bundle() })
  await container.delete()
  await t.throwsAsync(container.state(), absent)
  await t.throwsAsync(container.start(), absent)
  await t.throwsAsync(container.kill(), absent)
  await t.throwsAsync(container.delete(), absent)
})

test('create without a bundle is an error', async (t) => {
  const id = uniqueId()
  await t.throwsAsync(runtime.create(id, {}), { code: 'ERR_INVALID_OPTION' })
  assertGone(t, id)
})

for (const id of ['', '.', '..', 'a/b', '/a', 'a b', 'a\n', 'ü'])
  test(`the id ${JSON.stringify(id)} is refused`, async (t) => {
    const before = existsSync(root) ? readdirSync(root) : []
    await t.throwsAsync(runtime.create(id, { bundle: bundle() }), { code: 'ERR_INVALID_ID' })
    t.deepEqual(
      (existsSync(root) ? readdirSync(root) : []).filter((name) => name === id && !before.includes(name)),
      [],
    )
  })

requirements({
  'start runs the program that process names': {
    args: ['sh', '-c', 'echo "$0 $1"', 'zero', 'one'],
    prints: 'zero one',
  },
  'start without process is an error': {
    edit: (spec) => void delete spec.process,
    failsAtStart: 'ERR_INVALID_SPEC',
  },
  'start of a running container is an error without effect': {
    args: ['sleep', '60'],
    check: async (t, container) => {
      await container.start()
      await t.throwsAsync(container.start(), { code: 'ERR_INVALID_STATE' })
      t.deepEqual(
        [(await container.state()).status, (await container.state()).pid],
        ['running', container.pid],
      )
    },
  },
  'start of a stopped container is an error without effect': {
    check: async (t, container) => {
      await container.start()
      await container.wait()
      await t.throwsAsync(container.start(), { code: 'ERR_INVALID_STATE' })
      t.is((await container.state()).status, 'stopped')
    },
  },
  'kill sends the given signal to a running container': {
    script: 'trap "echo got it; exit 5" USR1; echo ready; while :; do sleep 0.1; done',
    check: async (t, container) => {
      let said = ''
      container.stdout!.setEncoding('utf8').on('data', (text: string) => (said += text))
      await container.start()
      await until(() => said.includes('ready'), 'the program has its handler')
      await container.kill('SIGUSR1')
      t.is((await container.wait()).exitCode, 5)
      await until(() => said === 'ready\ngot it\n', 'the handler has run')
    },
  },
  'kill sends a signal to a created container': {
    check: async (t, container) => {
      await container.kill('SIGKILL')
      t.is((await container.wait()).signal, 'SIGKILL')
      t.is((await container.state()).status, 'stopped')
    },
  },
  'kill of a stopped container is an error without effect': {
    check: async (t, container) => {
      await container.start()
      await container.wait()
      await t.throwsAsync(container.kill('SIGKILL'), { code: 'ERR_INVALID_STATE' })
      t.is((await container.state()).status, 'stopped')
    },
  },
  'delete of a running container is an error without effect': {
    args: ['sleep', '60'],
    check: async (t, container) => {
      await container.start()
      await t.throwsAsync(container.delete(), { code: 'ERR_INVALID_STATE' })
      t.deepEqual(
        [(await container.state()).status, (await container.state()).pid],
        ['running', container.pid],
      )
    },
  },
  'create applies what config.json asks for, apart from process': {
    edit: (spec) => {
      spec.hostname = 'applied'
      spec.mounts!.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['size=8k'] })
    },
    check: async (t, container) => {
      const inside = ['--target', String(container.pid), '--uts', 'hostname']
      t.is(spawnSync('nsenter', inside, { encoding: 'utf8' }).stdout, 'applied\n')
      t.regex(readFileSync(`/proc/${container.pid}/mountinfo`, 'utf8'), / \/tmp .*size=8k/)
    },
    needs: ['root'], // an ordinary user cannot look into a process that is not dumpable
  },
})

test('delete removes what create made, and nothing else', async (t) => {
  const id = uniqueId()
  const path = bundle({ args: ['sh', '-c', 'sleep 60 & exit 0'] })
  const before = readdirSync(path)
  const container = await runtime.create(id, { bundle: path })
  if (!missing('cgroup')) t.regex(readFileSync(`/proc/${container.pid}/cgroup`, 'utf8'), new RegExp(`/${id}`))
  await output(container)
  await container.delete()
  assertGone(t, id)
  t.deepEqual(readdirSync(path), before)
  t.true(existsSync(root))
})
