import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Runtime } from '../../../ts/index.ts'
import type { RuntimeSpec } from '../../../ts/spec/index.ts'
import { bundle } from '../../fixtures/bundle.ts'
import { needs } from '../../fixtures/needs.ts'
import { scratch } from '../../fixtures/rootfs.ts'

const folder = scratch('hooks')
const root = join(folder, 'root')
const warnings: string[] = []
const runtime = new Runtime({ root, onWarning: (message) => warnings.push(message) })
const privileged = needs('root')
let serial = 0

// Writes the state it reads, its name and its environment; exits with the given status.
writeFileSync(
  join(folder, 'hook'),
  '#!/bin/sh\n{ echo "$NAME $0 $1"; cat; echo; } >> "$1"; echo said so >&2; exit ${STATUS:-0}\n',
  { mode: 0o755 },
)
const record = (): string => join(folder, `record-${serial++}`)
const hook = (file: string, name: string, more: string[] = []) => ({
  path: join(folder, 'hook'),
  args: ['hook', file],
  env: [`NAME=${name}`, 'PATH=/usr/bin:/bin', ...more],
})
type Hooks = NonNullable<RuntimeSpec['hooks']>
const withHooks = (hooks: Hooks, args = ['true']): string =>
  bundle({ args, edit: (spec) => void (spec.hooks = hooks) })

privileged('hooks run in their order, with the current state on stdin', async (t) => {
  const file = record()
  const names = ['prestart', 'createRuntime', 'poststart', 'poststop'] as const
  const hooks = Object.fromEntries(names.map((name) => [name, [hook(file, name), hook(file, `${name}2`)]]))
  const id = `hooks-${process.pid}-${serial++}`
  const container = await runtime.create(id, { bundle: withHooks(hooks), stdio: 'ignore' })
  const { pid } = container
  await container.start()
  await container.wait()
  await container.delete()
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  const ran = lines.filter((_, index) => index % 2 === 0).map((line) => line.split(' ')[0])
  t.deepEqual(
    ran,
    names.flatMap((name) => [name, `${name}2`]),
  )
  const states = lines
    .filter((_, index) => index % 2 === 1)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  t.deepEqual(
    states.map(({ status }) => status),
    ['creating', 'creating', 'creating', 'creating', 'running', 'running', 'stopped', 'stopped'],
  )
  t.true(states.slice(0, 4).every((state) => state['pid'] === pid && state['id'] === id))
})

privileged('a failing createRuntime hook undoes the container and runs poststop', async (t) => {
  const file = record()
  const id = `hooks-${process.pid}-${serial++}`
  const source = withHooks({
    createRuntime: [hook(file, 'bad', ['STATUS=3'])],
    poststop: [hook(file, 'after')],
  })
  await t.throwsAsync(runtime.create(id, { bundle: source }), {
    code: 'ERR_HOOK',
    message: 'error running createRuntime hook #0: exit status 3, stdout: , stderr: said so',
  })
  t.false(readdirSync(root).includes(id))
  t.regex(readFileSync(file, 'utf8'), /^bad .*\n.*\nafter .*\n.*"status":"stopped"/)
})

privileged('a failing poststart hook ends and removes the container', async (t) => {
  const id = `hooks-${process.pid}-${serial++}`
  const source = withHooks({ poststart: [hook(record(), 'bad', ['STATUS=1'])] }, ['sleep', '60'])
  const container = await runtime.create(id, { bundle: source, stdio: 'ignore' })
  await t.throwsAsync(container.start(), {
    code: 'ERR_HOOK',
    message: /error running poststart hook #0: exit status 1/,
  })
  t.false(readdirSync(root).includes(id))
})

privileged('a failing poststop hook is a warning, and the next one still runs', async (t) => {
  const file = record()
  const id = `hooks-${process.pid}-${serial++}`
  const source = withHooks({ poststop: [hook(file, 'bad', ['STATUS=1']), hook(file, 'next')] })
  const container = await runtime.create(id, { bundle: source, stdio: 'ignore' })
  await container.delete()
  t.true(warnings.some((message) => message.includes('error running poststop hook')))
  t.regex(readFileSync(file, 'utf8'), /next/)
})

privileged('a hook that takes too long is ended with its children', async (t) => {
  const source = withHooks({
    createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', 'sleep 60 & sleep 60'], timeout: 1 }],
  })
  await t.throwsAsync(runtime.create(`hooks-${process.pid}-${serial++}`, { bundle: source }), {
    code: 'ERR_HOOK',
    message: /hook ran past specified timeout of 1 s/,
  })
})

privileged('a hook that does not read its state or does not exist', async (t) => {
  await using container = await runtime.create(`hooks-${process.pid}-${serial++}`, {
    bundle: withHooks({ createRuntime: [{ path: '/bin/true' }] }),
    stdio: 'ignore',
  })
  t.is((await container.state()).status, 'created')
  const missing = withHooks({ createRuntime: [{ path: '/no/such/hook' }] })
  await t.throwsAsync(runtime.create(`hooks-${process.pid}-${serial++}`, { bundle: missing }), {
    code: 'ERR_HOOK',
    message: /cannot run \/no\/such\/hook: ENOENT/,
  })
})

privileged('createContainer and startContainer hooks run in the container', async (t) => {
  const file = record()
  const source = withHooks({
    createContainer: [hook(file, 'inside')],
    startContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'test -d /proc/1'] }],
  })
  await using container = await runtime.create(`hooks-${process.pid}-${serial++}`, {
    bundle: source,
    stdio: 'ignore',
  })
  t.regex(readFileSync(file, 'utf8'), /^inside/)
  await container.start()
  t.is((await container.wait()).exitCode, 0)
})

privileged('a failing startContainer hook fails start and removes the container', async (t) => {
  const id = `hooks-${process.pid}-${serial++}`
  const source = withHooks({ startContainer: [{ path: '/bin/false' }] })
  const container = await runtime.create(id, { bundle: source, stdio: 'ignore' })
  await t.throwsAsync(container.start(), { code: 'ERR_HOOK', message: /startContainer hook #0/ })
  t.false(existsSync(join(root, id)))
})
