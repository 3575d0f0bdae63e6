/** `seccomp.notify`: system calls that a callback answers. */
import { readdirSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { CaissonError, Runtime, SpecError, type Notify, type SystemCall } from '../../../ts/index.ts'
import { bundle, script } from '../../fixtures/bundle.ts'
import { missing, needs, skipped } from '../../fixtures/needs.ts'
import { nextLine, program } from '../../fixtures/program.ts'
import { scratch } from '../../fixtures/rootfs.ts'
import { until } from '../../fixtures/until.ts'

const able = process.geteuid?.() === 0 ? test : missing('userns') ? skipped(missing('userns')!) : test
const root = scratch('notify')

/** A runtime, and its warnings. */
function runtimeOf(): { runtime: Runtime; warnings: string[] } {
  const warnings: string[] = []
  return { runtime: new Runtime({ root, onWarning: (message) => warnings.push(message) }), warnings }
}

/** Everything is allowed but these calls, which are answered by `notify`. */
function profile(names: string[], notify: Notify) {
  const rule = { names, action: 'SCMP_ACT_NOTIFY' as const }
  return { defaultAction: 'SCMP_ACT_ALLOW' as const, syscalls: [rule], notify }
}

const MKDIR = ['mkdir', 'mkdirat']
const pathOf = (call: SystemCall): Promise<string> =>
  call.readString(call.arguments[call.name === 'mkdir' ? 0 : 1]!)

/** Output of a script in a container with the profile, its root writable. */
async function output(t: ExecutionContext, text: string, names: string[], notify: Notify): Promise<string> {
  const { runtime, warnings } = runtimeOf()
  const path = script(text, { edit: (spec) => (spec.mounts!.push(TMP), undefined) })
  const result = await runtime.run({ bundle: path }, undefined, { seccomp: profile(names, notify) })
  t.deepEqual(warnings, [])
  return result.stdout
}

const TMP = { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['mode=1777'] }

able('the third call fails', async (t) => {
  let count = 0
  const text = 'for n in 1 2 3 4; do mkdir /tmp/$n 2> /dev/null && echo $n; done; ls /tmp'
  const stdout = await output(t, text, MKDIR, (call) =>
    ++count === 3 ? call.errno('ENOSPC') : call.continue(),
  )
  t.is(stdout, '1\n2\n4\n1\n2\n4\n')
  t.is(count, 4)
})

able('a call is told with number, name, arguments, thread and memory', async (t) => {
  const calls: SystemCall[] = []
  const paths: string[] = []
  const text = 'echo $$; mkdir -m 0711 /tmp/a; exec mkdir /tmp/b'
  await output(t, text, MKDIR, async (call) => {
    calls.push(call)
    paths.push(await pathOf(call))
    return call.continue()
  })
  t.deepEqual(paths, ['/tmp/a', '/tmp/b'])
  for (const call of calls) {
    t.is(call.arguments.length, 6)
    t.true(call.pid > 0)
    t.regex(call.architecture!, /^SCMP_ARCH_/)
    t.true(MKDIR.includes(call.name!))
    t.is(typeof call.instructionPointer, 'bigint')
  }
})

able('a value takes the place of a call', async (t) => {
  const stdout = await output(t, 'id -u', ['getuid', 'geteuid'], (call) => call.value(4321))
  t.is(stdout, '4321\n')
})

able('a callback may take its time, and other processes do not wait for it', async (t) => {
  let release: (() => void) | undefined
  const waiting = new Promise<void>((resolve) => (release = resolve))
  const text = 'mkdir /tmp/slow & mkdir /tmp/fast; echo fast; wait; ls /tmp'
  const stdout = await output(t, text, MKDIR, async (call) => {
    if ((await pathOf(call)).endsWith('slow')) await waiting
    else setImmediate(release!)
    return call.continue()
  })
  t.is(stdout, 'fast\nfast\nslow\n')
})

able('the call of a callback that fails fails with EIO, and the reason is a warning', async (t) => {
  const failures: Notify[] = [
    () => {
      throw new Error('on purpose')
    },
    () => Promise.reject(new Error('on purpose')),
    () => undefined as never,
    async () => ({}) as never,
    (call) => call.errno('ENONSENSE' as never),
  ]
  for (const notify of failures) {
    const { runtime, warnings } = runtimeOf()
    const path = script('mkdir /tmp/x', { edit: (spec) => (spec.mounts!.push(TMP), undefined) })
    const options = { seccomp: profile(MKDIR, notify), reject: false }
    const { stderr, exitCode } = await runtime.run({ bundle: path }, undefined, options)
    t.not(exitCode, 0)
    t.regex(stderr, /I\/O error|Input\/output error/)
    t.is(warnings.length, 1)
    t.regex(warnings[0]!, /^seccomp\.notify failed for mkdir(at)?, which fails with EIO: .+/)
  }
})

able('memory that cannot be read, and a call that does not wait any more, are errors', async (t) => {
  let seen: SystemCall | undefined
  const errors: (string | undefined)[] = []
  await output(t, 'mkdir /tmp/x', MKDIR, async (call) => {
    seen = call
    await call.readMemory(8, 16).catch((error: CaissonError) => errors.push(error.errno))
    await call
      .readString(call.arguments[call.name === 'mkdir' ? 0 : 1]!, 3)
      .catch((error: CaissonError) => errors.push(error.code))
    await call.readMemory(0, -1).catch((error: CaissonError) => errors.push(error.code))
    return call.continue()
  })
  t.deepEqual(errors, ['EFAULT', 'ERR_LIMIT_EXCEEDED', 'ERR_INVALID_OPTION'])
  const late = await t.throwsAsync(seen!.readMemory(4096, 16), { instanceOf: CaissonError })
  t.is(late.code, 'ERR_INVALID_STATE')
})

able('a container that ends while a call waits is gone, and the late answer is ignored', async (t) => {
  const { runtime, warnings } = runtimeOf()
  let asked: (() => void) | undefined
  const arrived = new Promise<void>((resolve) => (asked = resolve))
  let answer: (() => void) | undefined
  const answered = new Promise<void>((resolve) => (answer = resolve))
  const notify: Notify = async (call) => {
    asked!()
    await answered
    return call.continue()
  }
  const path = bundle({ args: ['mkdir', '/tmp/x'] })
  const container = await runtime.create('notify-ends', { bundle: path, seccomp: profile(MKDIR, notify) })
  await container.start()
  await arrived
  await container.delete({ force: true })
  answer!()
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(warnings, [])
  t.false(readdirSync(root).includes('notify-ends'))
})

able('the execve of the program itself is notified, and may be denied', async (t) => {
  const { runtime } = runtimeOf()
  const path = bundle({ args: ['true'] })
  const names: (string | undefined)[] = []
  await runtime.run({ bundle: path }, undefined, {
    seccomp: profile(['execve'], (call) => (names.push(call.name), call.continue())),
  })
  t.deepEqual(names, ['execve'])
  const denied = runtime.run({ bundle: path }, undefined, {
    seccomp: profile(['execve'], (call) => call.errno('EPERM')),
  })
  const error = await t.throwsAsync(async () => void (await denied), { instanceOf: CaissonError })
  t.is(error.code, 'ERR_EXEC_DENIED')
  t.is(error.errno, 'EPERM')
})

able('the profile of the configuration stays where only a callback is given', async (t) => {
  const { runtime } = runtimeOf()
  const { notify, ...own } = profile(MKDIR, (call) => call.errno('EDQUOT'))
  const path = script('mkdir /tmp/x', { edit: (spec) => (spec.linux!.seccomp = own as never) })
  const { stderr } = await runtime.run({ bundle: path }, undefined, { seccomp: { notify }, reject: false })
  t.regex(stderr, /quota/i)
})

test('what makes no sense is refused before anything is made', async (t) => {
  const { runtime } = runtimeOf()
  const path = bundle()
  const notify: Notify = (call) => call.continue()
  const create = (id: string, options: object): Promise<unknown> =>
    runtime.create(id, { bundle: path, ...options })
  const detached = create('refused', { detached: true, seccomp: profile(MKDIR, notify) })
  t.regex((await t.throwsAsync(detached, { instanceOf: SpecError })).message, /seccomp\.notify.*detached/)
  const silent = create('refused', { seccomp: { defaultAction: 'SCMP_ACT_ALLOW', notify } })
  t.regex((await t.throwsAsync(silent)).message, /no rule of the profile has the action SCMP_ACT_NOTIFY/)
  const two = create('refused', { seccomp: { ...profile(MKDIR, notify), listenerPath: '/run/agent' } })
  t.regex((await t.throwsAsync(two)).message, /listenerPath: conflicts/)
  const none = create('refused', { seccomp: { ...profile(MKDIR, notify), notify: 'yes' } })
  t.regex((await t.throwsAsync(none)).message, /seccomp\.notify.*function/)
  t.false(readdirSync(root).includes('refused'))
})

able('only the process that answers can start the container', async (t) => {
  const { runtime } = runtimeOf()
  const seccomp = profile(MKDIR, (call) => call.continue())
  const container = await runtime.create('notify-foreign', { bundle: bundle({ args: ['true'] }), seccomp })
  const other = program(`
    import { Runtime } from 'caisson'
    const container = await new Runtime({ root: ${JSON.stringify(root)} }).get('notify-foreign')
    await container.start().then(() => console.log('started'), (error) => console.log(error.code, error.message))
  `)
  t.regex(await nextLine(other), /^ERR_INVALID_STATE .*only the process that made the container can start it/)
  await other.ended
  // It is still created, and starts as if nothing had happened.
  await container.start()
  t.is((await container.wait()).exitCode, 0)
  await container.delete()
})

needs('python3')('many threads are answered, each with its own call', async (t) => {
  const { runtime, warnings } = runtimeOf()
  const source = [
    'import os, threading',
    'def work(n):',
    '    for i in range(20):',
    '        if os.getpgid(1000000 + n * 100 + i) != n * 100 + i: os._exit(9)',
    'threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]',
    '[thread.start() for thread in threads]',
    '[thread.join() for thread in threads]',
    'print("all")',
  ].join('\n')
  const { stdout } = await runtime.run('host', ['python3', '-c', source], {
    seccomp: profile(['getpgid'], async (call) => {
      await call.readMemory(call.instructionPointer, 1)
      return call.value(call.arguments[0]! - 1_000_000n)
    }),
  })
  t.is(stdout, 'all\n')
  t.deepEqual(warnings, [])
})

able('nothing is left of many containers with callbacks', async (t) => {
  const { runtime } = runtimeOf()
  const run = async (): Promise<void> => {
    await runtime.run({ bundle: bundle({ args: ['mkdir', '/tmp'] }) }, undefined, {
      seccomp: profile(MKDIR, (call) => call.continue()),
      reject: false,
    })
  }
  const open = (): number => readdirSync('/proc/self/fd').length
  const threads = (): number => readdirSync('/proc/self/task').length
  for (let i = 0; i < 3; i++) await run()
  const before = [open(), threads()]
  await Promise.all(Array.from({ length: 10 }, run))
  await until(() => open() <= before[0]! && threads() <= before[1]! + 4, 'descriptors and threads are gone')
  t.pass()
})
