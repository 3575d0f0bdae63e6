/** A program in a container of its own: a promise for its result and a handle on the way there. */
import { PassThrough, type Readable, type Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { CallSite } from '../../boundary.ts'
import { CaissonError, SpecError } from '../../errors.ts'
import { checkArgument, checkOptions, has, isObject } from '../../options.ts'
import { Collector } from './collector.ts'
import { abortable } from '../lifecycle/abort.ts'
import type { Container } from '../lifecycle/container.ts'
import type { LifetimeOptions } from '../lifecycle/create-options.ts'
import { randomId } from '../state/id.ts'
import { runOptions, source as isSource } from '../known-options.ts'
import type { RuntimeSettings } from '../lifecycle/create.ts'
import { ProcessError, processError, type RunResult } from './process-error.ts'
import type { Runtime } from '../runtime.ts'
import { signalNumber, type Signal } from './signal.ts'
import type { Source } from '../source/source.ts'
import type { SpecOptions } from '../source/spec-options.ts'
import { NULL, PIPE, planStdio, type StdioPlan, type StdioValue } from '../stdio/stdio.ts'
import { CallerStreams, type StreamName } from '../stdio/caller-streams.ts'
import { isInputStream, toReadable, type InputStream } from '../stdio/input.ts'
import { lines, type LineOptions } from '../stdio/lines.ts'
import { OutputStream } from '../stdio/output-stream.ts'
import { stalled } from '../stdio/stalled.ts'
import { transfer } from '../stdio/transfer.ts'
import { discardUnread } from '../stdio/unread.ts'

/** Options of {@link run}; names and meanings are those of `node:child_process` and execa where they have them. */
export interface RunOptions extends LifetimeOptions, Omit<SpecOptions, 'args'> {
  /** Id of the container. Default: a random one. */
  id?: string | undefined
  /**
   * What the program reads on stdin; then its end, which is Ctrl-D for a terminal. Without it stdin stays open until
   * `stdin.end()`. A stream that fails ends the program, and the result rejects with `ERR_STREAM`; a stream that the
   * program does not read to its end is destroyed, except `process.stdin`.
   */
  input?: string | Uint8Array | InputStream | undefined
  /** Milliseconds from the start of the program until `killSignal` ends it, at most 2147483647. Default: none. */
  timeout?: number | undefined
  /**
   * What ends the program at a time-out or an abort. Default `'SIGKILL'`: the first process of a container ignores
   * every signal it has no handler for, except this one.
   */
  killSignal?: Signal | undefined
  /** Milliseconds after another `killSignal` until SIGKILL follows. Default 5000. */
  forceKillAfterDelay?: number | undefined
  /** `'buffer'` for bytes. Default `'utf8'`. */
  encoding?: BufferEncoding | 'buffer' | undefined
  /** `false`: a program that fails resolves with its result like every other. Default true. */
  reject?: boolean | undefined
  /**
   * Most bytes of stdout, and of stderr, that are kept, and most characters of a line in an iteration; a program that
   * writes more is killed. Default 100 MiB.
   */
  maxBuffer?: number | undefined
  /**
   * `false`: output is only streamed, `stdout` and `stderr` of the result are empty, and a program waits that fills a
   * stream without a reader; what is unread at its end is discarded. Default true.
   */
  buffer?: boolean | undefined
}

/** Text, or bytes with `encoding: 'buffer'`. */
export type OutputOf<Options extends RunOptions> = Options extends { encoding: 'buffer' } ? Buffer : string

/** Milliseconds until a delete that failed is tried again. */
const DELETE_DELAYS = [20, 100, 500]
const MAX_BUFFER = 100 * 2 ** 20
/** Signals that are sent to end a program. */
const ENDING: ReadonlySet<number> = new Set(
  ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGABRT', 'SIGKILL', 'SIGTERM'].map(signalNumber),
)

/**
 * Returned at once by {@link run}. `await` it for the result; iterate it for lines of stdout. A failed start rejects
 * `started` and the result, and is never an unhandled rejection.
 *
 * @example
 * ```ts
 * const child = run('oci:./images/busybox', ['cat'])
 * child.stdin?.end('hello')
 * for await (const line of child) console.log(line)
 * ```
 */
export class ContainerProcess<Output extends string | Buffer = string> implements Promise<RunResult<Output>> {
  /** Id of the container. */
  readonly id: string
  readonly command: readonly string[]
  /** Where the stream is a pipe; null otherwise. With a terminal, stdin and stdout are the terminal. */
  readonly stdin: Writable | null
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  /** Settles when the program runs, or could not be started. */
  readonly started: Promise<void>
  readonly [Symbol.toStringTag] = 'ContainerProcess'
  readonly #result: Promise<RunResult<Output>>
  readonly #options: RunOptions
  readonly #unchecked: unknown
  readonly #plan: StdioPlan | undefined
  readonly #given: CallerStreams
  /** Aborted when the program has ended. */
  readonly #ending = new AbortController()
  /** Aborted by the caller's signal, or with a {@link StreamFailure}. */
  readonly #stop = new AbortController()
  /** Aborted when the result does not wait for readers of the output: by the caller's signal, or at disposal. */
  readonly #abandoned = new AbortController()
  readonly #warn: RuntimeSettings['warn']
  #container: Container | undefined
  #queued: Signal | undefined
  /** It was told to end: a reader that takes nothing is not waited for. */
  #told = false
  #referenced = true
  readonly #timers = new Set<NodeJS.Timeout>()
  #running = false
  #timedOut = false
  #overflow = false

  /** @internal */
  constructor(
    runtime: Runtime,
    source: Source,
    args: readonly string[] | undefined,
    options: RunOptions,
    warn: RuntimeSettings['warn'],
  ) {
    this.#unchecked = options
    this.#warn = warn
    // Invalid options reject the result like any other failure.
    if (!isObject(options)) options = {}
    this.id = options.id ?? randomId()
    this.command = args ?? []
    this.#options = options
    const begun = performance.now()
    const site = new CallSite(ContainerProcess)
    this.#plan = tryPlan(options)
    const [stdin, stdout, stderr] = pipes(this.#plan)
    this.stdin = stdin ? new PassThrough() : null
    this.stdout = stdout ? new OutputStream() : null
    this.stderr = stderr ? new OutputStream() : null
    // The result says how it went; listeners are not needed.
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream?.on('error', () => {})
    this.#given = new CallerStreams(this.#plan?.connect ?? [undefined, undefined, undefined], (name, cause) =>
      this.#streamFailed(name, cause),
    )
    this.#feed()
    const collectors = [this.#collect(this.stdout), this.#collect(this.stderr)]
    let settle: { resolve: () => void; reject: (reason: unknown) => void }
    this.started = new Promise((resolve, reject) => (settle = { resolve, reject }))
    this.started.catch(() => {})
    const run = async (): Promise<RunResult<Output>> => {
      const unfollow = this.#followSignal()
      try {
        try {
          await this.#start(runtime, source, args)
        } catch (cause) {
          // An abort takes the container away under whatever step is at work: the reason is what the caller has to see.
          const { signal } = this.#stop
          const error = site.explain(signal.aborted ? this.#reasonBeforeStart(signal.reason) : cause)
          this.#closeStreams()
          settle.reject(error)
          throw error
        }
        settle.resolve()
        return await this.#finish(begun, collectors)
      } finally {
        unfollow()
      }
    }
    this.#result = site.explained(run())
    this.#result.catch(() => {})
  }

  /** Process id on the host; undefined before the container exists and after it is gone. */
  get pid(): number | undefined {
    return this.#container?.pid || undefined
  }

  /** Node may end while the program runs, and ends the program then. Undone by {@link ref}. */
  unref(): this {
    this.#referenced = false
    this.#container?.unref()
    for (const timer of this.#timers) timer.unref()
    return this
  }

  ref(): this {
    this.#referenced = true
    this.#container?.ref()
    for (const timer of this.#timers) timer.ref()
    return this
  }

  /** Signals the program, as soon as it runs. `false` when it has ended. Throws `ERR_INVALID_OPTION`. */
  kill(signal: Signal = 'SIGTERM'): boolean {
    const number = signalNumber(signal)
    if (this.#ending.signal.aborted) return false
    this.#told ||= ENDING.has(number)
    if (this.#container && this.#running) {
      this.#container.kill(signal).catch(() => {}) // it has ended just now
    } else this.#queued = signal
    return true
  }

  then<A = RunResult<Output>, B = never>(
    onFulfilled?: ((result: RunResult<Output>) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(onFulfilled, onRejected)
  }

  catch<B = never>(
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<RunResult<Output> | B> {
    return this.#result.catch(onRejected)
  }

  finally(onFinally?: (() => void) | null): Promise<RunResult<Output>> {
    return this.#result.finally(onFinally)
  }

  /** Lines of stdout as they come; then a failed run throws. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void> {
    // A reader of lines of stdout wants nothing of stderr, unless it reads that, too.
    if (this.stderr) discardUnread(this.stderr)
    try {
      if (this.stdout) yield* lines(this.stdout, this.#lineOptions())
    } finally {
      this.stdout?.resume() // the rest, after a break
    }
    await this.#result
  }

  /** Ends the program and waits until everything of it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.kill('SIGKILL')) this.#abandoned.abort() // what has ended by itself keeps its whole output
    await this.#result.catch(() => {})
  }

  async #start(runtime: Runtime, source: Source, args: readonly string[] | undefined): Promise<void> {
    checkOptions(this.#unchecked, runOptions)
    checkArgument('source', source, isSource)
    const {
      input,
      timeout,
      killSignal,
      forceKillAfterDelay,
      encoding,
      reject,
      maxBuffer,
      buffer,
      id,
      ...create
    } = this.#options
    if (killSignal !== undefined) signalNumber(killSignal)
    if (input !== undefined && !this.stdin) {
      const issue = { path: 'input', message: 'needs a stdin that is a pipe' }
      throw new SpecError('ERR_INVALID_OPTION', 'options', [issue])
    }
    const { signal } = this.#stop
    const stdio = this.#plan ? ownStdio(this.#plan) : create.stdio
    const container = await runtime.create(this.id, { ...create, ...from(source), args, stdio, signal })
    this.#container = container
    if (!this.#referenced) container.unref()
    this.#connect(container)
    try {
      await container.start({ signal })
    } catch (error) {
      await deleteAtLast(container).catch((cause: Error) => this.#warn(cause.message, this.id))
      throw error
    }
    this.#running = true
    if (this.#queued !== undefined) this.kill(this.#queued)
  }

  async #finish(begun: number, collectors: (Collector | undefined)[]): Promise<RunResult<Output>> {
    const container = this.#container!
    const { timeout, reject = true, encoding = 'utf8', maxBuffer = MAX_BUFFER } = this.#options
    const { signal } = this.#stop
    const end = (): void => this.#end()
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    const timeOut = (): void => {
      this.#timedOut = true
      end()
    }
    if (timeout) this.#after(timeout, timeOut)
    let exit
    try {
      exit = await container.wait()
    } finally {
      for (const timer of this.#timers) clearTimeout(timer)
      this.#ending.abort()
      signal.removeEventListener('abort', end)
      // What the program did is known: what stays of its container is another matter.
      await deleteAtLast(container).catch((error: Error) => this.#warn(error.message, this.id))
    }
    this.stdin?.destroy()
    await this.#outputRead(container)
    const reason: unknown = signal.reason
    if (signal.aborted && !(reason instanceof StreamFailure)) throw reason
    const [stdout, stderr] = collectors.map((collector) => collector?.output(encoding) ?? nothing(encoding))
    const result: RunResult<Output> = {
      command: this.command,
      containerId: this.id,
      stdout: stdout as Output,
      stderr: stderr as Output,
      ...exit,
      timedOut: this.#timedOut,
      durationMs: performance.now() - begun,
    }
    if (reason instanceof StreamFailure) {
      throw new ProcessError('ERR_STREAM', `was ended: ${reason.message}`, result, reason.cause)
    }
    const error = processError(result, { timeout, overflow: this.#overflow, maxBuffer })
    if (error && reject) throw error
    return result
  }

  /**
   * Waits for the readers, who take the time they like after a program that ended by itself, until the run is
   * abandoned.
   */
  async #outputRead({ stdout, stderr, console }: Container): Promise<void> {
    const outputs = [this.stdout, this.stderr].filter((stream) => stream !== null)
    outputs.forEach(discardUnread)
    const ends = outputs.map((stream) => finished(stream).catch(() => {}))
    const sources = [stdout, stderr, console]
    const done = new AbortController()
    const signals = [this.#abandoned.signal]
    if (this.#told) signals.push(stalled([...sources, ...outputs, ...this.#given.outputs()], done.signal))
    try {
      await abortable(Promise.all([...ends, this.#given.passedOn()]), AbortSignal.any(signals))
    } catch {
      // A reader that goes on has what was passed to it, and then the end.
      for (const stream of sources) stream?.destroy()
      this.#given.close()
    } finally {
      done.abort()
    }
  }

  #end(): void {
    const { killSignal = 'SIGKILL', forceKillAfterDelay = 5000 } = this.#options
    this.kill(killSignal)
    this.#told = true
    if (signalNumber(killSignal) === 9) return
    if (!this.#ending.signal.aborted) this.#after(forceKillAfterDelay, () => this.kill('SIGKILL'))
  }

  /** Until the program has ended. */
  #after(milliseconds: number, call: () => void): void {
    const timer = setTimeout(call, milliseconds)
    if (!this.#referenced) timer.unref()
    this.#timers.add(timer)
  }

  #collect(stream: Readable | null): Collector | undefined {
    if (!stream || this.#options.buffer === false) return undefined
    const { maxBuffer = MAX_BUFFER } = this.#options
    return new Collector(stream, maxBuffer, () => this.#overflowed())
  }

  #overflowed(): void {
    this.#overflow = true
    this.kill('SIGKILL')
  }

  #lineOptions(): LineOptions {
    const { maxBuffer: limit = MAX_BUFFER, encoding = 'utf8' } = this.#options
    const onOverflow = (): void => this.#overflowed()
    return { limit, encoding: encoding === 'buffer' ? 'utf8' : encoding, onOverflow }
  }

  /** At once, so that a stream that fails before there is a container is heard. */
  #feed(): void {
    const { input } = this.#options
    if (!this.stdin || input === undefined) return
    if (typeof input === 'string' || input instanceof Uint8Array) this.stdin.end(input)
    else if (isInputStream(input)) {
      void transfer(toReadable(input), this.stdin).then((failure) => {
        if (failure?.side === 'source') this.#streamFailed('stdin', failure.cause)
      })
    }
  }

  #connect(container: Container): void {
    const terminal = container.console
    const stdin = terminal ?? container.stdin
    const source = this.#given.stdin ?? (this.stdin as PassThrough | null)
    if (source && stdin) void transfer(source, stdin, { passError: true })
    const outputs = [
      [terminal ?? container.stdout, this.#given.stdout ?? this.stdout],
      [container.stderr, this.#given.stderr ?? this.stderr],
    ] as const
    for (const [from, to] of outputs) {
      if (from && to) void transfer(from, to as PassThrough)
      else if (to) (to as PassThrough).end()
      else if (from === terminal) from?.resume() // a terminal without a reader would stop the program
    }
  }

  #streamFailed(name: StreamName, cause: Error): void {
    // What the program did not read before its end does not matter.
    if (name === 'stdin' && this.#ending.signal.aborted) return
    this.#stop.abort(new StreamFailure(name, cause))
  }

  #reasonBeforeStart(reason: unknown): unknown {
    if (!(reason instanceof StreamFailure)) return reason
    const { message, cause } = reason
    return new CaissonError('ERR_STREAM', message, { phase: 'start', containerId: this.id, cause })
  }

  #followSignal(): () => void {
    const { signal } = this.#options
    if (!has(signal, 'addEventListener')) return () => {} // not there, or refused later
    const follow = (): void => {
      this.#stop.abort(signal!.reason)
      this.#abandoned.abort()
    }
    if (signal!.aborted) follow()
    signal!.addEventListener('abort', follow, { once: true })
    return () => signal!.removeEventListener('abort', follow)
  }

  #closeStreams(): void {
    this.#given.close()
    this.stdin?.destroy()
    for (const stream of [this.stdout, this.stderr] as (OutputStream | null)[]) stream?.end()
  }
}

/** A process that lacks descriptors may have some again, as this program's streams are closed. */
async function deleteAtLast(container: Container): Promise<void> {
  for (const delay of DELETE_DELAYS) {
    try {
      return await container.delete({ force: true })
    } catch {
      await sleep(delay)
    }
  }
  await container.delete({ force: true })
}

/** A stream of the caller's failed, and with it the run. */
class StreamFailure {
  readonly message: string
  readonly cause: Error

  constructor(name: StreamName, cause: Error) {
    this.message = `the stream for ${name} failed: ${cause.message}`
    this.cause = cause
  }
}

/** Undefined for what is wrong: create reports it. */
function tryPlan(options: RunOptions): StdioPlan | undefined {
  try {
    return planStdio(options.stdio)
  } catch {
    return undefined
  }
}

/** Which streams the process has. */
function pipes(plan: StdioPlan | undefined): boolean[] {
  return [0, 1, 2].map((index) => plan?.numbers[index] === PIPE && plan.connect[index] === undefined)
}

/** The same plan, with pipes where streams are connected here. */
function ownStdio({ numbers }: StdioPlan): StdioValue[] {
  return numbers.map((number) => (number === PIPE ? 'pipe' : number === NULL ? 'ignore' : number))
}

function from(source: Source): { bundle?: string; config?: string; rootfs?: string; image?: Source } {
  if (typeof source === 'object' && source !== null) {
    if ('bundle' in source)
      return source.config === undefined
        ? { bundle: source.bundle }
        : { bundle: source.bundle, config: source.config }
    if ('rootfs' in source) return { rootfs: source.rootfs }
  }
  return { image: source }
}

function nothing(encoding: BufferEncoding | 'buffer'): string | Buffer {
  return encoding === 'buffer' ? Buffer.alloc(0) : ''
}
