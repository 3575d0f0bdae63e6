/** Runs the scenarios of misuse.test.ts one after another, and checks what each leaves behind. */
import { closeSync, createReadStream, openSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PassThrough, pipeline, Readable, Writable } from 'node:stream'
import { CaissonError, Runtime, type ContainerProcess, type RunOptions } from '../../../ts/index.ts'
import { cgroupsNamed, list, processesNamed } from '../../fixtures/traces.ts'

export type StreamName = 'stdin' | 'stdout' | 'stderr'

export interface Action {
  /** Milliseconds after the call, or once the program runs. */
  at: number | 'started'
  on: StreamName
  do:
    | 'destroy'
    | 'destroy with an error'
    | 'end'
    | 'write'
    | 'pipeline to a failing target'
    | 'pipeline from a failing source'
    | 'pipe to a target that closes'
    | 'iterate once'
    | 'lines once'
    | 'lines'
    | 'pause'
    | 'resume'
    | 'kill'
    | 'stop'
    | 'unref'
}

export interface Scenario {
  source: 'rootfs' | 'host'
  program: 'true' | 'missing' | 'exit' | 'sleep' | 'cat' | 'output' | 'endless' | 'endless stderr'
  terminal: boolean
  stdio: Record<StreamName, 'pipe' | 'ignore' | 'stream' | 'failing stream' | 'closed stream'>
  input:
    'none' | 'text' | 'stream' | 'endless' | 'failing' | 'missing file' | 'cut off' | 'objects' | 'failed'
  buffer: boolean
  timeout: number | undefined
  gentle: boolean
  abort: number | undefined
  /** Descriptors that the process may still open, from the call on. */
  free: number | undefined
  actions: Action[]
}

export interface Outcome {
  settled: boolean
  /** The program had to be killed for the scenario to end. */
  killed: boolean
  code: string
  left: string[]
  unhandled: string[]
}

const [root, rootfs] = process.argv.slice(2) as [string, string]
const runtime = new Runtime({ root, onWarning() {} })
const scripts: Record<Scenario['program'], string[]> = {
  true: ['true'],
  missing: ['no-such-program'],
  exit: ['sh', '-c', 'echo out; echo err >&2; exit 3'],
  sleep: ['sleep', '60'],
  cat: ['cat'],
  output: ['seq', '1', '30000'],
  endless: ['sh', '-c', 'while echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; do :; done'],
  'endless stderr': ['sh', '-c', 'while echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy >&2; do :; done'],
}
const unhandled: string[] = []
process.on('uncaughtException', (error) => unhandled.push(String(error?.stack ?? error)))
process.on('unhandledRejection', (error) => unhandled.push(String((error as Error)?.stack ?? error)))

const sleep = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds))
const nothing = (): void => {}
const failing = (): Writable =>
  new Writable({ write: (_chunk, _encoding, done) => done(new Error('no room')) })
const endless = (): Readable =>
  new Readable({
    read() {
      this.push(Buffer.alloc(4096))
    },
  })
const later = (stream: PassThrough, error?: Error): PassThrough => {
  setTimeout(() => stream.destroy(error), 20)
  return stream
}

function inputOf(kind: Scenario['input']): RunOptions['input'] {
  if (kind === 'none') return undefined
  if (kind === 'text') return 'some text\n'
  if (kind === 'stream') return Readable.from([Buffer.from('a '), Buffer.from('stream\n')])
  if (kind === 'endless') return endless()
  if (kind === 'failing') return later(new PassThrough(), new Error('failed later'))
  if (kind === 'missing file') return createReadStream('/nonexistent')
  if (kind === 'cut off') return later(new PassThrough())
  if (kind === 'objects') return Readable.from([{ an: 'object' }])
  const failed = new PassThrough().on('error', nothing)
  failed.destroy(new Error('failed before'))
  return failed
}

function stdioOf(stdio: Scenario['stdio']): RunOptions['stdio'] {
  return (['stdin', 'stdout', 'stderr'] as const).map((name) => {
    const kind = stdio[name]
    if (kind === 'pipe' || kind === 'ignore') return kind
    if (name === 'stdin') {
      if (kind === 'stream') return Readable.from([Buffer.from('given\n')])
      return later(new PassThrough(), kind === 'failing stream' ? new Error('given and failed') : undefined)
    }
    if (kind === 'failing stream') return failing()
    const target = new PassThrough()
    if (kind === 'stream') target.resume()
    else target.once('data', () => target.destroy())
    return target
  })
}

async function act(child: ContainerProcess, { on, do: action }: Action): Promise<void> {
  if (action === 'kill') return void child.kill('SIGTERM')
  if (action === 'stop') return void child.kill('SIGSTOP')
  if (action === 'unref') return void child.unref()
  if (action === 'lines' || action === 'lines once') {
    for await (const _ of child) if (action === 'lines once') break
    return
  }
  const stream = child[on]
  if (!stream) return
  if (action === 'destroy') stream.destroy()
  if (action === 'destroy with an error') stream.destroy(new Error('enough'))
  if (stream === child.stdin) {
    if (action === 'end') child.stdin.end('last words\n')
    if (action === 'write') child.stdin.write(Buffer.alloc(100_000), nothing)
    if (action === 'pipeline from a failing source') {
      pipeline(later(new PassThrough(), new Error('gone')), child.stdin, nothing)
    }
    return
  }
  const output = stream as Readable
  if (action === 'pause') output.pause()
  if (action === 'resume') output.resume()
  if (action === 'pipeline to a failing target') pipeline(output, failing(), nothing)
  if (action === 'pipe to a target that closes') {
    const target = new PassThrough()
    target.once('data', () => target.destroy())
    output.pipe(target)
  }
  if (action === 'iterate once') for await (const _ of output) break
}

/** Whether the program can be relied on to end by itself; where it depends, it is killed. */
function ends({ program, terminal, stdio, input, buffer, timeout, abort, actions, free }: Scenario): boolean {
  const done = (on: StreamName, ...what: Action['do'][]): boolean =>
    actions.some((action) => action.on === on && what.includes(action.do))
  if (
    actions.some(({ do: action }) =>
      ['stop', 'pause', 'lines', 'lines once', 'iterate once'].includes(action),
    )
  )
    return false
  if (timeout !== undefined || abort !== undefined || ['true', 'missing'].includes(program)) return true
  if (terminal || free !== undefined) return false
  if (['failing', 'missing file', 'cut off', 'objects', 'failed'].includes(input) && stdio.stdin === 'pipe')
    return true
  if (program === 'exit') return true
  const leaving = ['destroy', 'destroy with an error', 'pipeline to a failing target'] as const
  const leaves = (name: 'stdout' | 'stderr'): boolean =>
    stdio[name] === 'pipe' ? done(name, ...leaving) : stdio[name].startsWith('failing')
  if (program === 'endless') return leaves('stdout') || (buffer && stdio.stdout === 'pipe')
  if (program === 'endless stderr') return leaves('stderr') || (buffer && stdio.stderr === 'pipe')
  if (program === 'output') return leaves('stdout') || buffer || stdio.stdout === 'ignore'
  return false
}

async function run(scenario: Scenario, serial: number): Promise<Outcome> {
  const { source, program, terminal, stdio, input, buffer, timeout, gentle, abort, free, actions } = scenario
  const id = `misuse-${process.pid}-${serial}-`
  const before = descriptors()
  unhandled.length = 0
  const taken: number[] = []
  if (free !== undefined) {
    try {
      for (;;) taken.push(openSync('/dev/null', 'r'))
    } catch {
      // all of them
    }
    for (const descriptor of taken.splice(0, free)) closeSync(descriptor)
  }
  const controller = new AbortController()
  const child = runtime.run(source === 'host' ? 'host' : { rootfs }, scripts[program], {
    id,
    terminal,
    buffer,
    timeout,
    stdio: stdioOf(stdio),
    ...(stdio.stdin === 'pipe' ? { input: inputOf(input) } : {}),
    maxBuffer: 400_000,
    signal: controller.signal,
    ...(gentle ? { killSignal: 'SIGTERM', forceKillAfterDelay: 30 } : {}),
  }) as ContainerProcess
  if (abort !== undefined)
    setTimeout(() => controller.abort(Object.assign(new Error('aborted'), { code: 'ERR_ABORTED' })), abort)
  for (const action of actions) {
    const ready = action.at === 'started' ? child.started : sleep(action.at)
    void ready.then(() => act(child, action)).catch(nothing)
  }
  let killed = false
  const patience = ends(scenario) ? 30_000 : 300
  const killer = setTimeout(() => {
    killed = true
    child.kill('SIGKILL')
    for (const stream of [child.stdout, child.stderr]) stream?.resume()
  }, patience)
  let limit: NodeJS.Timeout | undefined
  const code = await Promise.race([
    child.then(
      () => 'ok',
      (error: unknown) => (error as CaissonError)?.code ?? `not one of ours: ${String(error)}`,
    ),
    new Promise<string>((resolve) => (limit = setTimeout(() => resolve('pending'), patience + 20_000))),
  ])
  clearTimeout(killer)
  clearTimeout(limit)
  for (const descriptor of taken) closeSync(descriptor)
  // Sockets close a turn later, and an abort may still be undoing its work.
  let left = leftOf(id, before)
  for (let attempt = 0; left.length > 0 && attempt < 200; attempt++) {
    await sleep(25)
    left = leftOf(id, before)
  }
  return { settled: code !== 'pending', killed, code, left, unhandled: [...unhandled] }
}

function leftOf(id: string, before: number): string[] {
  const now = descriptors()
  return [
    ...processesNamed(id).map((pid) => `process ${pid}`),
    ...cgroupsNamed(id).map((cgroup) => `cgroup ${cgroup}`),
    ...list(root)
      .filter((name) => name === id)
      .map((name) => `state directory ${name}`),
    ...list(join(root, '.bundles')).map((name) => `bundle ${name}`),
    ...(now > before ? [`${now - before} descriptors`] : []),
  ]
}

const descriptors = (): number => list('/proc/self/fd').length

// Everything is loaded, and the engine holds its permanent resources.
for (const source of ['host', { rootfs }] as const) await runtime.run(source, ['true'], { input: 'x' })
let serial = 0
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(line) as Scenario, serial++)))
}
