/** config-linux.md, "Seccomp" and "The Container Process State"; the lists in features-linux.md. */
import { createServer, type Server } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import test from 'ava'
import { Runtime } from '../../ts/index.ts'
import type { RuntimeFeatures, RuntimeSpec } from '../../ts/spec/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { needs } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'
import {
  assertGone,
  isRoot,
  linux,
  observedRuntime,
  output,
  requirements,
  uniqueId,
  type Requirement,
} from './requirements.ts'

const { seccomp: listed } = (new Runtime().features() as unknown as RuntimeFeatures).linux!
const invalid = { refused: 'ERR_INVALID_SPEC' } as const
const ALLOW = 'SCMP_ACT_ALLOW'
const profile = (change: object) => linux({ seccomp: { defaultAction: ALLOW, ...change } })
const rule = (change: object) =>
  profile({ syscalls: [{ names: ['umask'], action: 'SCMP_ACT_ERRNO', ...change }] })
const argument = (change: object) => rule({ args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ', ...change }] })
const DIRECTORIES = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }
const makes: Requirement = {
  edit: profile({ syscalls: [DIRECTORIES] }),
  script: 'mkdir /dev/shm/made 2>/dev/null || echo refused; [ -e /dev/shm/made ] || echo missing',
  prints: 'refused\nmissing',
}

requirements({
  'a call with an error is not made': makes,
  'a profile without a default action is refused': { edit: linux({ seccomp: { syscalls: [] } }), ...invalid },
  'a default action that is unknown is refused': { edit: profile({ defaultAction: 'ALLOW' }), ...invalid },
  'defaultErrnoRet with an action that takes none is refused': {
    edit: profile({ defaultErrnoRet: 1 }),
    ...invalid,
  },
  'defaultErrnoRet with SCMP_ACT_ERRNO is accepted': {
    edit: linux({
      seccomp: { defaultAction: 'SCMP_ACT_LOG', syscalls: [{ ...DIRECTORIES, errnoRet: 28 }] },
    }),
    script: 'mkdir /dev/shm/made 2>&1 | grep -c "No space"',
    prints: '1',
  },
  ...Object.fromEntries(
    ['SCMP_ACT_KILL', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_TRAP', 'SCMP_ACT_LOG'].map(
      (action): [string, Requirement] => [
        `errnoRet with ${action} is refused`,
        { edit: rule({ action, errnoRet: 1 }), ...invalid },
      ],
    ),
  ),
  'a rule without names is refused': { edit: rule({ names: undefined }), ...invalid },
  'a rule with empty names is refused': { edit: rule({ names: [] }), ...invalid },
  'a rule without an action is refused': { edit: rule({ action: undefined }), ...invalid },
  'an argument without an index is refused': { edit: argument({ index: undefined }), ...invalid },
  'an argument without a value is refused': { edit: argument({ value: undefined }), ...invalid },
  'an argument without an operator is refused': { edit: argument({ op: undefined }), ...invalid },
  'listenerMetadata without listenerPath is refused': {
    edit: profile({ listenerMetadata: 'x' }),
    ...invalid,
  },
})

const NOTIFY = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_NOTIFY' }
const create = needs(...(isRoot ? [] : (['userns'] as const)))

create('a listener that is missing is an error', async (t) => {
  const id = uniqueId()
  const listenerPath = join(scratch('listener'), 'missing.sock')
  const source = { bundle: bundle({ edit: profile({ listenerPath, syscalls: [NOTIFY] }) }) }
  const { runtime } = observedRuntime()
  await t.throwsAsync(async () => {
    const container = await runtime.create(id, source)
    try {
      await container.start()
    } finally {
      await container.delete({ force: true })
    }
  })
  assertGone(t, id)
})

/** Each connection, its bytes, and whether the peer has closed it. */
async function listening(path: string): Promise<{ server: Server; messages: Array<Promise<string>> }> {
  const messages: Array<Promise<string>> = []
  const server = createServer((socket) => {
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString()))
    messages.push(once(socket, 'end').then(() => text))
    socket.on('end', () => socket.end())
  })
  server.listen(path)
  await once(server, 'listening')
  return { server, messages }
}

create('the listener gets one state of the process, and then the end of the connection', async (t) => {
  const listenerPath = join(scratch('listener'), 'sock')
  const { server, messages } = await listening(listenerPath)
  t.teardown(() => server.close())
  const seccomp = { listenerPath, listenerMetadata: 'for the agent', syscalls: [NOTIFY] }
  const edit = (spec: RuntimeSpec): void => {
    profile(seccomp)(spec)
    spec.annotations = { 'com.example.key': 'value' }
  }
  const path = bundle({ edit })
  await using container = await observedRuntime().runtime.create(uniqueId(), { bundle: path })
  await output(container)
  t.is(messages.length, 1)
  const state = JSON.parse(await messages[0]!) as Record<string, any>
  t.deepEqual(state['fds'], ['seccompFd'])
  t.is(state['metadata'], 'for the agent')
  t.regex(state['ociVersion'], /^1\./)
  t.is(state['pid'], container.pid)
  t.is(state['state'].id, container.id)
  t.is(state['state'].bundle, path)
  t.deepEqual(state['state'].annotations, { 'com.example.key': 'value' })
})

create('a listener is ignored without SCMP_ACT_NOTIFY', async (t) => {
  const listenerPath = join(scratch('listener'), 'missing.sock')
  const source = { bundle: bundle({ edit: profile({ listenerPath, syscalls: [DIRECTORIES] }) }) }
  await using container = await observedRuntime().runtime.create(uniqueId(), source)
  t.is((await output(container)).stderr, '')
})

/** A listener for all of them: one that no rule needs is ignored. */
const shared = join(scratch('listener'), 'shared.sock')
let server: Server | undefined
test.before(async () => void ({ server } = await listening(shared)))
test.after.always(() => server?.close())
const heard = (change: object) => profile({ listenerPath: shared, ...change })
const RARE = { args: [{ index: 0, value: 0o7777, op: 'SCMP_CMP_EQ' }] }

type Edit = (value: string) => (spec: RuntimeSpec) => void
const lists: Array<[name: string, values: string[] | null | undefined, edit: Edit]> = [
  ['action', listed?.actions, (action) => heard({ syscalls: [{ names: ['umask'], action, ...RARE }] })],
  ['operator', listed?.operators, (op) => argument({ op, value: 0o7777, valueTwo: 0o7777 })],
  ['architecture', listed?.archs, (name) => profile({ architectures: [name], syscalls: [DIRECTORIES] })],
  ['flag', listed?.supportedFlags, (flag) => heard({ flags: [flag], syscalls: [NOTIFY] })],
]
if (listed?.enabled)
  for (const [name, values, edit] of lists) {
    for (const value of values ?? [])
      create(`the listed ${name} ${value} is recognised`, async (t) => {
        const source = { bundle: bundle({ edit: edit(value) }) }
        await using container = await observedRuntime().runtime.create(uniqueId(), source)
        t.is((await container.state()).status, 'created')
      })
    test(`there is a listed ${name}`, (t) => t.true((values ?? []).length > 0))
  }
