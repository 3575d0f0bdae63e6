/** Streams that fail or go away: the program sees the end of its pipe, the result comes, and nothing is unhandled. */
import { createReadStream, createWriteStream, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, pipeline, Readable, Writable } from 'node:stream'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { ProcessError, Runtime, type ContainerProcess, type RunOptions } from '../../../ts/index.ts'
import { needs } from '../../fixtures/needs.ts'
import { program } from '../../fixtures/program.ts'
import { rootfs, scratch } from '../../fixtures/rootfs.ts'

const root = join(scratch('state'), 'root')
const warnings: string[] = []
const runtime = new Runtime({ root, onWarning: (message) => warnings.push(message) })
const able = needs(process.geteuid?.() === 0 ? 'root' : 'userns')
const sh = (line: string, options: RunOptions = {}): ContainerProcess =>
  runtime.run({ rootfs: rootfs() }, ['sh', '-c', line], { reject: false, ...options }) as ContainerProcess

const unhandled: unknown[] = []
process.on('uncaughtException', (error) => unhandled.push(error))
process.on('unhandledRejection', (error) => unhandled.push(error))

test.after.always('nothing is left, and nothing was unhandled', (t) => {
  t.deepEqual(unhandled, [])
  try {
    t.deepEqual(readdirSync(root), [])
  } catch {
    // no test could run
  }
})

/** The outcome of the promise; fails the test and kills the program if it does not settle. */
async function result(
  t: ExecutionContext,
  child: ContainerProcess,
): Promise<ProcessError | Awaited<ContainerProcess>> {
  const timer = setTimeout(() => {
    t.fail('the promise is still pending after 20 s')
    child.kill('SIGKILL')
  }, 20_000)
  try {
    return await child.then(
      (value) => value,
      (error: unknown) => error as ProcessError,
    )
  } finally {
    clearTimeout(timer)
  }
}

/** Writes without end, and prints how that ended. */
const endless = 'while echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; do :; done 2>/dev/null; exit 7'
const toStderr = 'while echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy >&2; do :; done; exit 7'

const failing = (): Writable =>
  new Writable({ write: (_chunk, _encoding, done) => done(new Error('the client has gone')) })

const leave: Record<string, (child: ContainerProcess, stream: 'stdout' | 'stderr') => unknown> = {
  'a pipeline whose target fails': (child, stream) => pipeline(child[stream]!, failing(), () => {}),
  'a pipe() whose target is destroyed': (child, stream) => {
    const target = new PassThrough()
    child[stream]!.pipe(target)
    child[stream]!.once('data', () => target.destroy())
  },
  'an iteration of the stream that is left': async (child, stream) => {
    for await (const _ of child[stream]!) break
  },
  'destroy()': (child, stream) => child[stream]!.destroy(),
  'destroy() once it runs': (child, stream) => child.started.then(() => child[stream]!.destroy()),
  'destroy() with an error': (child, stream) => child[stream]!.destroy(new Error('enough')),
}
for (const buffer of [true, false]) {
  for (const [how, gone] of Object.entries(leave)) {
    // With a buffer the output is always read; an additional pipe() takes nothing from it.
    if (buffer && how.startsWith('a pipe()')) continue
    able(
      `a reader that leaves is EPIPE to the program: ${how}, ${buffer ? '' : 'not '}buffered`,
      async (t) => {
        for (const [stream, line] of [
          ['stdout', endless],
          ['stderr', toStderr],
        ] as const) {
          const child = sh(line, { buffer })
          void gone(child, stream)
          if (!buffer) child[stream === 'stdout' ? 'stderr' : 'stdout']!.resume()
          t.is((await result(t, child)).exitCode, 7, stream)
        }
      },
    )
  }
}

able('a pipe() whose target goes away leaves the output to the buffer', async (t) => {
  const child = sh('seq 1 100000')
  const target = new PassThrough()
  child.stdout!.pipe(target)
  child.stdout!.once('data', () => target.destroy())
  const { exitCode, stdout } = await result(t, child)
  t.is(exitCode, 0)
  t.is(stdout.toString().length, 588_895)
})

const close: Record<string, (child: ContainerProcess) => unknown> = {
  'destroy() at once': (child) => child.stdin!.destroy(),
  'destroy() once it runs': (child) => child.started.then(() => child.stdin!.destroy()),
  'destroy() with an error': (child) => child.stdin!.destroy(new Error('enough')),
  'destroy() after a write': (child) => child.stdin!.write('x', () => child.stdin!.destroy()),
  'a pipeline whose source fails': (child) =>
    pipeline(
      new Readable({ read: () => {}, construct: (done) => done(new Error('no source')) }),
      child.stdin!,
      () => {},
    ),
}
for (const [how, end] of Object.entries(close)) {
  able(`a stdin that goes away is its end: ${how}`, async (t) => {
    const child = sh('cat >/dev/null; echo end')
    void end(child)
    const { exitCode, stdout } = await result(t, child)
    t.deepEqual([exitCode, stdout], [0, 'end\n'])
  })
}

able('a writer gets an error when the program no longer reads', async (t) => {
  const child = sh('exec <&-; sleep 60')
  const endlessly = new Readable({
    read() {
      this.push(Buffer.alloc(10_000))
    },
  })
  const error = await new Promise((resolve) => pipeline(endlessly, child.stdin!, resolve))
  t.is((error as NodeJS.ErrnoException).code, 'EPIPE')
  child.kill('SIGKILL')
  await result(t, child)
})

able('a terminal whose reader leaves is hung up', async (t) => {
  const child = sh('trap "exit 7" HUP; while echo yyyyyyyyyyyyyyy; do :; done 2>/dev/null; exit 7', {
    terminal: true,
    buffer: false,
  })
  for await (const _ of child.stdout!) break
  t.is((await result(t, child)).exitCode, 7)
})

able('an unread terminal does not stop the program', async (t) => {
  const child = sh('seq 1 20000', { terminal: true, stdio: 'ignore' })
  t.is((await result(t, child)).exitCode, 0)
})

able('everything that a program writes to its terminal is read', async (t) => {
  const lengths = new Set<number>()
  const one = async (): Promise<void> => {
    const { stdout } = await result(t, sh('seq 1 3000', { terminal: true }))
    lengths.add(stdout.length)
  }
  for (let round = 0; round < 10; round++) await Promise.all([one(), one(), one(), one()])
  t.deepEqual([...lengths], [16_893])
})

const inputs: Record<string, () => Readable> = {
  'a file that does not exist': () => createReadStream('/nonexistent'),
  'one that fails later': () =>
    Readable.from(
      (async function* () {
        yield 'begun'
        await new Promise((resolve) => setTimeout(resolve, 50))
        throw new Error('no more')
      })(),
    ),
  'one that had failed before': () => {
    const stream = new PassThrough().on('error', () => {})
    stream.destroy(new Error('failed'))
    return stream
  },
  'one that is cut off': () => {
    const stream = new PassThrough()
    stream.write('begun', () => setTimeout(() => stream.destroy(), 50))
    return stream
  },
  'one of objects': () => Readable.from([{ an: 'object' }]),
}
for (const [what, input] of Object.entries(inputs)) {
  for (const place of ['input', 'stdio'] as const) {
    able(`a stream for stdin that fails is the cause: ${what}, as ${place}`, async (t) => {
      const stream = input()
      const child = sh('cat; sleep 60', {
        ...(place === 'input' ? { input: stream } : { stdio: [stream, 'pipe', 'pipe'] as const }),
        reject: true,
      })
      const error = (await result(t, child)) as ProcessError
      t.is(error.code, 'ERR_STREAM')
      t.true(error.cause instanceof Error)
      t.regex(error.message, /the stream for stdin failed: /)
      t.true(stream.destroyed)
    })
  }
}

const web = (...chunks: string[]): ReadableStream<string> =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
const given: Record<string, () => NonNullable<RunOptions['input']>> = {
  'a stream of the web': () => web('one ', 'two'),
  'the body of a response': () => new Response('one two').body!,
  'a list': () => ['one ', Buffer.from('two')],
  'a generator': () =>
    (function* () {
      yield 'one '
      yield 'two'
    })(),
  'an async generator': () =>
    (async function* () {
      yield 'one '
      await sleep(50)
      yield Buffer.from('two')
    })(),
}
for (const [what, input] of Object.entries(given)) {
  for (const place of ['input', 'stdio'] as const) {
    able(`stdin is what the caller gives: ${what}, as ${place}`, async (t) => {
      const from = input()
      const options: RunOptions =
        place === 'input' ? { input: from } : { stdio: [from as ReadableStream, 'pipe', 'pipe'] }
      t.is((await result(t, sh('cat', options))).stdout, 'one two')
    })
  }
}

able('a stream of the web that fails, is locked or is not read to its end', async (t) => {
  const failing = new ReadableStream({ start: (controller) => controller.error(new Error('no source')) })
  const failed = (await result(t, sh('cat; sleep 60', { input: failing, reject: true }))) as ProcessError
  t.is(failed.code, 'ERR_STREAM')
  t.is((failed.cause as Error).message, 'no source')
  const locked = web('x')
  locked.getReader()
  t.is(((await result(t, sh('cat', { input: locked, reject: true }))) as ProcessError).code, 'ERR_STREAM')
  let cancelled = false
  const unread = new ReadableStream({
    pull: (controller) => controller.enqueue(Buffer.alloc(100_000)),
    cancel: () => void (cancelled = true),
  })
  t.is((await result(t, sh('exit 3', { input: unread }))).exitCode, 3)
  await sleep(0)
  t.true(cancelled)
})

able(
  'streams for stdout and stderr are ended, also where both are one, or the program cannot start',
  async (t) => {
    const [out, both, unused] = [new PassThrough(), new PassThrough(), new PassThrough()]
    await result(t, sh('echo out', { stdio: ['ignore', out, 'ignore'] }))
    t.true(out.writableFinished)
    t.is(String(out.read()), 'out\n')
    await result(t, sh('echo out; echo err >&2', { stdio: ['ignore', both, both] }))
    t.true(both.writableFinished)
    t.deepEqual(String(both.read()).split('\n').toSorted(), ['', 'err', 'out'])
    const child = runtime.run({ rootfs: rootfs() }, ['no-such-program'], {
      stdio: ['ignore', unused, 'ignore'],
    })
    t.is(((await result(t, child as ContainerProcess)) as ProcessError).code, 'ERR_EXEC_NOT_FOUND')
    if (!unused.writableFinished) await once(unused, 'finish')
    t.true(unused.writableFinished)
  },
)

able('a file stream for stdout is complete with the result', async (t) => {
  const path = join(scratch('output'), 'file')
  await result(t, sh('seq 1 100000', { stdio: ['ignore', createWriteStream(path), 'ignore'] }))
  t.is(statSync(path).size, 588_895)
})

able('stdout goes to a stream of the web', async (t) => {
  let text = ''
  let closed = false
  const target = new WritableStream({
    write: (chunk: Buffer) => void (text += chunk),
    close: () => void (closed = true),
  })
  await result(t, sh('echo out', { stdio: ['ignore', target, 'ignore'] }))
  t.deepEqual([text, closed], ['out\n', true])
})

able('streams of the wrong direction are refused', async (t) => {
  for (const [at, stdio] of [
    [0, [failing(), 'pipe', 'pipe']],
    [1, ['pipe', Readable.from([]), 'pipe']],
    [2, ['pipe', 'pipe', web('x')]],
  ] as const) {
    const child = runtime.run({ rootfs: rootfs() }, ['true'], { stdio: stdio as never })
    const error = (await result(t, child as ContainerProcess)) as ProcessError
    t.is(error.code, 'ERR_INVALID_OPTION')
    t.regex(error.message, new RegExp(`stdio\\[${at}\\]: must be a stream that can be`))
  }
})

const typed: Record<string, RunOptions> = {
  'a line': { input: 'one\n' },
  'an unfinished line': { input: 'one' },
  nothing: { input: '' },
  'a line and Ctrl-D': { input: 'one\n\x04' },
  'a stream': { input: Readable.from(['o', 'ne']) },
  'a stream in stdio': { stdio: [Readable.from(['one\n']), 'pipe', 'pipe'] },
}
for (const [what, options] of Object.entries(typed)) {
  able(`the end of what is typed at a terminal is Ctrl-D: ${what}`, async (t) => {
    const { exitCode, stdout } = await result(
      t,
      sh('stty -echo; cat; echo end', { terminal: true, ...options }),
    )
    t.is(exitCode, 0)
    t.regex(stdout.toString(), what === 'nothing' ? /^end\r\n$/ : /one(\r\n)?end\r\n$/)
  })
}

able('an input that is not read to its end is destroyed, and no failure', async (t) => {
  const input = new Readable({
    read() {
      this.push(Buffer.alloc(10_000))
    },
  })
  t.is((await result(t, sh('exit 3', { input }))).exitCode, 3)
  t.true(input.destroyed)
})

able('an input is destroyed where the program cannot be started', async (t) => {
  const input = new PassThrough()
  const child = runtime.run({ rootfs: rootfs() }, ['no-such-program'], { input }) as ContainerProcess
  t.is(((await result(t, child)) as ProcessError).code, 'ERR_EXEC_NOT_FOUND')
  if (!input.destroyed) await once(input, 'close')
  t.true(input.destroyed)
})

able('a stream for stdout that fails is the cause, one that is closed is EPIPE', async (t) => {
  const failed = (await result(t, sh(endless, { stdio: ['ignore', failing(), 'ignore'] }))) as ProcessError
  t.is(failed.code, 'ERR_STREAM')
  t.regex((failed.cause as Error).message, /client has gone/)
  const target = new PassThrough()
  target.once('data', () => target.destroy())
  const closed = await result(t, sh(endless, { stdio: ['ignore', target, 'ignore'], reject: true }))
  t.is((closed as ProcessError).code, 'ERR_EXIT')
  t.is(closed.exitCode, 7)
})

able('streams of a container of create() fail with a warning', async (t) => {
  const container = await runtime.create(`streams-${process.pid}`, {
    rootfs: rootfs(),
    args: ['sh', '-c', `cat; ${endless}`],
    stdio: [createReadStream('/nonexistent'), failing(), 'ignore'],
  })
  await container.start()
  t.is((await container.wait()).exitCode, 7)
  await container.delete()
  t.is(warnings.filter((message) => /^the stream for std(in|out) failed: /.test(message)).length, 2)
})

able('a line that is longer than the limit rejects', async (t) => {
  const seen: string[] = []
  const child = sh('echo first; head -c 3000000 /dev/zero; sleep 60', {
    buffer: false,
    maxBuffer: 1_000_000,
    reject: true,
  })
  const error = await t.throwsAsync(async () => {
    for await (const line of child) seen.push(line)
  })
  t.deepEqual(seen, ['first'])
  t.is((error as ProcessError).code, 'ERR_LIMIT_EXCEEDED')
})

able('lines end as text does, also between two pieces', async (t) => {
  const seen: string[] = []
  const text = String.raw`printf 'a\r'; sleep 0.1; printf '\nb\n\nc\xc3'; sleep 0.1; printf '\xa4\rd'`
  for await (const line of sh(text)) seen.push(line)
  t.deepEqual(seen, ['a', 'b', '', 'cä', 'd'])
  const again = sh('seq 1 5')
  for await (const line of again) if (line === '2') break
  t.is((await result(t, again)).stdout, '1\n2\n3\n4\n5\n')
})

// 600 MB pass through this process: as long as a string can be and more.
able('one line without an end stops neither Node nor the test', async (t) => {
  const text = `
    import { Runtime } from 'caisson'
    const runtime = new Runtime({ root: ${JSON.stringify(join(scratch('state'), 'root'))} })
    const child = runtime.run({ rootfs: ${JSON.stringify(rootfs())} }, ['head', '-c', '600000000', '/dev/zero'],
      { buffer: false, maxBuffer: Infinity })
    try { for await (const line of child); console.log('no error') } catch (error) { console.log(error.code) }
  `
  const { child, reader, ended } = program(text)
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
  const printed: string[] = []
  reader.on('line', (line) => printed.push(line))
  const { code, stderr } = await ended
  clearTimeout(timer)
  t.deepEqual([printed, code], [['ERR_LIMIT_EXCEEDED'], 0], stderr)
})

able('unread input of a terminal does not stop Node', async (t) => {
  const child = sh('sleep 60', { terminal: true, input: Buffer.alloc(200_000, 'x\n') })
  await child.started
  let turns = 0
  const ticking = setInterval(() => turns++, 10)
  await new Promise((resolve) => setTimeout(resolve, 300))
  clearInterval(ticking)
  t.true(turns > 1)
  child.kill('SIGKILL')
  t.is((await result(t, child)).signal, 'SIGKILL')
})

able('a terminal takes more than it holds', async (t) => {
  const lines = 'a line of input\n'.repeat(2000)
  const child = sh('stty -echo; sleep 0.1; head -n 2000 | wc -c', { terminal: true })
  await child.started
  child.stdin!.write(lines)
  t.regex((await result(t, child)).stdout.toString(), /32000/)
})

needs('root')('a process that left the container does not keep the reader of its pipe', async (t) => {
  const other = new Runtime({ root, cgroupManager: 'disabled' })
  const child = other.run({ rootfs: rootfs() }, ['sh', '-c', 'sleep 25 & echo done'], {
    spec: (spec) => ({
      ...spec,
      linux: { ...spec.linux, namespaces: spec.linux!.namespaces!.filter(({ type }) => type !== 'pid') },
    }),
  }) as ContainerProcess
  t.is((await result(t, child)).stdout, 'done\n')
})

/** Readers that never read. */
const stuck: Record<string, (options: RunOptions) => ContainerProcess> = {
  'a paused stream': (options) => {
    const child = sh(endless, { buffer: false, ...options })
    child.stdout!.on('data', () => {}).pause()
    return child
  },
  'an iteration that waits': (options) => {
    const child = sh(endless, { buffer: false, ...options })
    void child.stdout![Symbol.asyncIterator]().next()
    return child
  },
  'a stream of the caller': (options) =>
    sh(endless, { stdio: ['ignore', new Writable({ write: () => {} }), 'ignore'], ...options }),
}

for (const [reader, start] of Object.entries(stuck)) {
  able(`an abort is not held up by ${reader}`, async (t) => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const child = start({ signal: controller.signal })
    await child.started
    setTimeout(() => controller.abort(reason), 200)
    t.is((await result(t, child)) as unknown, reason)
  })

  able(`a time-out is not held up by ${reader}`, async (t) => {
    const child = start({ timeout: 200, reject: true })
    t.is(((await result(t, child)) as ProcessError).code, 'ERR_TIMEOUT')
  })

  able(`a kill is not held up by ${reader}`, async (t) => {
    const child = start({})
    await child.started
    await sleep(200)
    child.kill('SIGKILL')
    t.is((await result(t, child)).signal, 'SIGKILL')
  })

  able(`a disposal is not held up by ${reader}`, async (t) => {
    const child = start({})
    await child.started
    await sleep(200)
    await child[Symbol.asyncDispose]()
    t.is((await result(t, child)).signal, 'SIGKILL')
  })
}

able('what was read before a time-out is kept, although another reader takes nothing', async (t) => {
  const child = sh(`echo said; ${toStderr}`, { timeout: 500, buffer: true })
  child.stderr!.pipe(new Writable({ write: () => {} }))
  const { timedOut, stdout, stderr } = (await result(t, child)) as Awaited<ContainerProcess>
  t.true(timedOut)
  t.is(stdout, 'said\n')
  t.regex(stderr, /^y+\n/)
})

able('a slow reader of a program that was killed gets all that it wrote', async (t) => {
  const child = sh('head -c 200000 /dev/zero; sleep 60', { buffer: false })
  const sizes: number[] = []
  const slow = new Writable({
    highWaterMark: 1,
    write: (chunk: Buffer, _encoding, done) => {
      sizes.push(chunk.length)
      setTimeout(done, 700)
    },
  })
  const passed = new Promise((resolve) => pipeline(child.stdout!, slow, resolve))
  await child.started
  await sleep(300)
  child.kill('SIGKILL')
  t.is((await result(t, child)).signal, 'SIGKILL')
  await passed
  const all = sizes.reduce((sum, size) => sum + size, 0)
  t.true(all >= 65_536 && all <= 200_000, `${all} bytes`)
})

able('many lines at once leave the event loop free', async (t) => {
  const child = sh('yes | head -n 2000000', { buffer: false })
  let [count, sinceTurn, most] = [0, 0, 0]
  let ended = false
  const turn = (): void => {
    most = Math.max(most, sinceTurn)
    sinceTurn = 0
    if (!ended) setImmediate(turn)
  }
  turn()
  for await (const line of child) {
    count += line.length
    sinceTurn++
  }
  ended = true
  t.is(count, 2_000_000)
  t.true(most < 500_000, `${most} lines without a turn of the event loop`)
})

able('an abort after the program has ended is not held up by its reader', async (t) => {
  const reason = new Error('enough')
  const controller = new AbortController()
  const child = sh('head -c 200000 /dev/zero', { buffer: false, signal: controller.signal })
  child.stdout!.on('data', () => {}).pause()
  await child.started
  setTimeout(() => controller.abort(reason), 1000)
  t.is((await result(t, child)) as unknown, reason)
  let size = 0
  for await (const chunk of child.stdout!) size += (chunk as Buffer).length
  t.true(size > 0 && size <= 200_000, `${size} bytes`)
})
