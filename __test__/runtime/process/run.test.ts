import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import test from 'ava'
import { Image, ProcessError, Runtime, type RunOptions } from '../../../ts/index.ts'
import { needs } from '../../fixtures/needs.ts'
import { rootfs, scratch } from '../../fixtures/rootfs.ts'
import { text } from '../../fixtures/text.ts'

const root = join(scratch('state'), 'root')
const runtime = new Runtime({ root, store: join(scratch('store'), 'store') })
const privileged = needs('root')
const sh = (line: string, options: RunOptions = {}) =>
  runtime.run({ rootfs: rootfs() }, ['sh', '-c', line], options)

test.after.always('nothing is left in the state root', (t) => {
  t.deepEqual(list(root), [])
})

privileged('the result has output, exit code and everything else', async (t) => {
  const result = await sh('echo out; echo err >&2; exit 3', { reject: false })
  const { containerId, durationMs, ...rest } = result
  t.true(containerId.startsWith('caisson-') && durationMs > 0)
  t.deepEqual(rest, {
    command: ['sh', '-c', 'echo out; echo err >&2; exit 3'],
    stdout: 'out\n',
    stderr: 'err\n',
    exitCode: 3,
    signal: null,
    oomKilled: false,
    timedOut: false,
  })
})

privileged('a failing program rejects with its result', async (t) => {
  const error = await t.throwsAsync(
    async () => void (await sh(String.raw`echo out; printf ' why\r\n' >&2; exit 4`)),
    {
      instanceOf: ProcessError,
      code: 'ERR_EXIT',
    },
  )
  const { exitCode, stdout, stderr, message } = error as ProcessError
  t.deepEqual([exitCode, stdout, stderr], [4, 'out\n', ' why\r\n'])
  t.is(message, 'sh ended with exit code 4: why')
})

privileged('input comes from a text, from bytes and from a stream', async (t) => {
  t.is((await sh('cat', { input: 'text' })).stdout, 'text')
  t.is((await sh('cat', { input: Buffer.from('bytes') })).stdout, 'bytes')
  t.is((await sh('cat', { input: Readable.from(['a ', 'stream']) })).stdout, 'a stream')
})

privileged('a large output arrives complete, as bytes where asked for', async (t) => {
  const { stdout } = await runtime.run({ rootfs: rootfs() }, ['head', '-c', '3000000', '/dev/zero'], {
    encoding: 'buffer',
  })
  t.is(stdout.length, 3_000_000)
})

privileged('lines of stdout are iterated as they come', async (t) => {
  const lines: string[] = []
  for await (const line of sh('echo one; echo two')) lines.push(line)
  t.deepEqual(lines, ['one', 'two'])
})

// More than a pipe and the buffers of streams hold, so that an unread stream would stop the program.
const both = 'head -c 1000000 /dev/zero >&2; seq 1 20000'
const streamed: Record<string, (child: ReturnType<typeof sh>) => unknown> = {
  'line by line': async (child) => {
    let last = ''
    for await (const line of child) last = line
    return last
  },
  'line by line, up to the first': async (child) => {
    for await (const line of child) return line
    return undefined
  },
  'both by events': (child) => {
    child.stdout!.resume()
    child.stderr!.resume()
  },
}
for (const [how, read] of Object.entries(streamed)) {
  privileged(`output that is not buffered is read ${how}`, async (t) => {
    const child = sh(both, { buffer: false })
    t.true([undefined, '1', '20000'].includes((await read(child)) as string | undefined))
    const { exitCode, stdout, stderr } = await child
    t.deepEqual({ exitCode, stdout, stderr }, { exitCode: 0, stdout: '', stderr: '' })
  })
}

privileged('unread output is dropped when the program has ended', async (t) => {
  t.is((await sh('echo out; echo err >&2; exit 3', { buffer: false, reject: false })).exitCode, 3)
})

privileged('stdin is a stream that ends the program', async (t) => {
  const child = sh('cat')
  await child.started
  t.is(typeof child.pid, 'number')
  child.stdin!.end('late')
  t.is((await child).stdout, 'late')
  t.is(child.pid, undefined)
})

privileged('streams without a descriptor get the output', async (t) => {
  const out = new PassThrough()
  const collected = text(out)
  await sh('echo through', { stdio: ['ignore', out, 'ignore'] })
  out.end()
  t.is(await collected, 'through\n')
})

privileged('a time-out ends the program and has its own code', async (t) => {
  const error = await t.throwsAsync(async () => void (await sh('sleep 60', { timeout: 50 })), {
    code: 'ERR_TIMEOUT',
  })
  t.true((error as ProcessError).timedOut)
})

privileged('a gentle killSignal is followed by SIGKILL', async (t) => {
  const error = await t.throwsAsync(
    async () => void (await sh('sleep 60', { timeout: 20, killSignal: 'SIGTERM', forceKillAfterDelay: 50 })),
  )
  t.is((error as ProcessError).signal, 'SIGKILL')
})

privileged('an abort at any phase rejects with its reason and leaves nothing', async (t) => {
  for (const ms of [0, 1, 2, 4, 8, 16, 32, 64]) {
    const reason = new Error(`after ${ms} ms`)
    const controller = new AbortController()
    setTimeout(() => controller.abort(reason), ms)
    t.is(await t.throwsAsync(async () => void (await sh('sleep 60', { signal: controller.signal }))), reason)
  }
  t.is(
    await t
      .throwsAsync(async () => void (await sh('true', { signal: AbortSignal.abort(new Error('before')) })))
      .then((error) => error.message),
    'before',
  )
})

privileged('kill before the start takes effect at the start', async (t) => {
  const child = sh('sleep 60')
  t.true(child.kill('SIGKILL'))
  const error = await t.throwsAsync(async () => void (await child), { code: 'ERR_SIGNAL' })
  t.is((error as ProcessError).signal, 'SIGKILL')
  t.false(child.kill())
})

privileged('a program that writes more than maxBuffer is ended', async (t) => {
  const error = await t.throwsAsync(
    async () => void (await sh('while :; do echo yyyy; done', { maxBuffer: 1000 })),
    {
      code: 'ERR_LIMIT_EXCEEDED',
    },
  )
  t.is((error as ProcessError).stdout.length, 1000)
})

privileged(
  'a program that does not exist rejects started and the result, without an unhandled rejection',
  async (t) => {
    const child = runtime.run({ rootfs: rootfs() }, ['no-such-program'])
    await t.throwsAsync(child.started, { code: 'ERR_EXEC_NOT_FOUND' })
    runtime.run({ rootfs: rootfs() }, ['no-such-program']) // its promise is not awaited
    await t.throwsAsync(async () => void (await child), { code: 'ERR_EXEC_NOT_FOUND' })
  },
)

privileged('options reach the program', async (t) => {
  const { stdout } = await sh(
    'pwd; echo $A; echo ${TERM:-none}; id -u; id -g; id -G; hostname; umask >/dev/null; ls /extra',
    {
      cwd: '/made/for/it',
      env: { A: 'b c', TERM: undefined },
      user: '1000:1001',
      hostname: 'inside',
      mounts: [
        { destination: '/extra', type: 'bind', source: join(rootfs(), 'etc'), options: ['rbind', 'ro'] },
      ],
      readonly: false,
    },
  )
  t.deepEqual(stdout.split('\n'), [
    '/made/for/it',
    'b c',
    'none',
    '1000',
    '1001',
    '1001',
    'inside',
    'passwd',
    '',
  ])
})

needs('root', 'cgroup')('the memory limit has its own code', async (t) => {
  const grow = 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done'
  const error = await t.throwsAsync(async () => void (await sh(grow, { memory: '16MiB' })), {
    code: 'ERR_OOM',
  })
  t.true((error as ProcessError).oomKilled)
})

privileged('a terminal is stdin and stdout in one', async (t) => {
  const { stdout } = await sh('tty; read line; echo "got $line"', { terminal: true, input: 'typed\n' })
  t.regex(stdout, /^\/dev\/(pts\/\d+|console)$/m)
  t.regex(stdout, /got typed/)
})

privileged(
  'an image runs from the store, by reference or opened, and leaves nothing beside it',
  async (t) => {
    const layout = join(scratch('layout'), 'images')
    await Image.fromHost({ layout, tag: 'host', programs: ['sh', 'id'] })
    t.is((await runtime.run(`oci:${layout}:host`, ['sh', '-c', 'id -u'])).stdout, '0\n')
    const opened = await Image.open(`oci:${layout}:host`)
    t.is((await runtime.run(opened, ['id', '-g'])).stdout, '0\n')
    t.deepEqual(list(join(runtime.root, '.bundles')), [])
  },
)

test('invalid options are refused before anything happens', async (t) => {
  const wrong: RunOptions[] = [
    { memory: 'lots' },
    { cpus: 0 },
    { pids: -1 },
    { cwd: 'relative' },
    { user: 'nobody' },
    { timeout: -1 },
    { killSignal: 'SIGNOPE' },
    { stdio: 'everything' as 'pipe' },
    { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] },
    { memroy: '1MiB' } as RunOptions,
  ]
  for (const options of wrong) {
    await t.throwsAsync(
      async () => void (await sh('true', options)),
      { code: 'ERR_INVALID_OPTION' },
      JSON.stringify(options),
    )
  }
  for (const args of ['id', [], [1], { input: 'x' }] as unknown as string[][]) {
    const run = runtime.run({ rootfs: rootfs() }, args)
    await t.throwsAsync(async () => void (await run), {
      code: 'ERR_INVALID_OPTION',
      message: /^options: args/,
    })
  }
})

function list(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
