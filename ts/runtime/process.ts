/** A program in a container of its own: a promise for its result and a handle on the way there. */
import { createInterface } from 'node:readline'
import { PassThrough, Readable, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { SpecError } from '../errors.ts'
import { checkArgument, checkOptions, isObject } from '../options.ts'
import { Collector } from './collector.ts'
import type { Container } from './container.ts'
import type { LifetimeOptions } from './create-options.ts'
import { randomId } from './id.ts'
import { runOptions, source as isSource } from './known-options.ts'
import { processError, type RunResult } from './process-error.ts'
import type { Runtime } from './runtime.ts'
import { signalNumber, type Signal } from './signal.ts'
import type { Source } from './source.ts'
import type { SpecOptions } from './spec-options.ts'
import { planStdio } from './stdio.ts'
import { discardUnread } from './unread.ts'

/** Options of {@link run}; names and meanings are those of `node:child_process` and execa where they have them. */
export interface RunOptions extends LifetimeOptions, Omit<SpecOptions, 'args'> {
  /** Id of the container. Default: a random one. */
  id?: string | undefined
  /** What the program reads on stdin; then its end. Without it stdin stays open until `stdin.end()`. */
  input?: string | Uint8Array | Readable | undefined
  /** Milliseconds from the start of the program until it is ended by `killSignal`, at most 2147483647. Default: none. */
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
  /** Most bytes of stdout, and of stderr, that are kept; a program that writes more is killed. Default 100 MiB. */
  maxBuffer?: number | undefined
  /**
   * `false`: output is only streamed, `stdout` and `stderr` of the result are empty, and a program that fills a stream which
   * nobody reads waits; what is unread at its end is let go. Default true.
   */
  buffer?: boolean | undefined
}

/** Text, or bytes with `encoding: 'buffer'`. */
export type OutputOf<Options extends RunOptions> = Options extends { encoding: 'buffer' } ? Buffer : string

const MAX_BUFFER = 100 * 2 ** 20

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
  readonly #given: unknown
  readonly #ending = new AbortController()
  #container: Container | undefined
  #queued: Signal | undefined
  #running = false
  #timedOut = false
  #overflow = false

  /** @internal */
  constructor(runtime: Runtime, source: Source, args: readonly string[] | undefined, options: RunOptions) {
    this.#given = options
    // What is none is reported by the result, as everything.
    if (!isObject(options)) options = {}
    this.id = options.id ?? randomId()
    this.command = args ?? []
    this.#options = options
    const begun = performance.now()
    const piped = pipes(options)
    this.stdin = piped[0] ? new PassThrough() : null
    this.stdout = piped[1] ? new PassThrough() : null
    this.stderr = piped[2] ? new PassThrough() : null
    const collectors = [this.#collect(this.stdout), this.#collect(this.stderr)]
    let settle: { resolve: () => void; reject: (reason: unknown) => void }
    this.started = new Promise((resolve, reject) => (settle = { resolve, reject }))
    this.started.catch(() => {})
    const run = async (): Promise<RunResult<Output>> => {
      try {
        await this.#start(runtime, source, args)
      } catch (cause) {
        // An abort takes the container away under whatever step is at work: the reason is what the caller has to see.
        const { signal } = this.#options
        const error: unknown = signal?.aborted ? signal.reason : cause
        this.#closeStreams()
        settle.reject(error)
        throw error
      }
      settle.resolve()
      return this.#finish(begun, collectors)
    }
    this.#result = run()
    this.#result.catch(() => {})
  }

  /** Process id on the host; undefined before the container exists and after it is gone. */
  get pid(): number | undefined {
    return this.#container?.pid || undefined
  }

  /** Signals the program, as soon as it runs. `false` when it has ended. Throws `ERR_INVALID_OPTION`. */
  kill(signal: Signal = 'SIGTERM'): boolean {
    signalNumber(signal)
    if (this.#ending.signal.aborted) return false
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
    // Whoever reads lines of stdout wants nothing of stderr, unless it is read, too.
    if (this.stderr) discardUnread(this.stderr)
    try {
      if (this.stdout) yield* createInterface({ input: this.stdout, crlfDelay: Infinity })
    } finally {
      this.stdout?.resume() // after a break nobody reads the rest
    }
    await this.#result
  }

  /** Ends the program and waits until everything of it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill('SIGKILL')
    await this.#result.catch(() => {})
  }

  async #start(runtime: Runtime, source: Source, args: readonly string[] | undefined): Promise<void> {
    checkOptions(this.#given, runOptions)
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
    const container = await runtime.create(this.id, { ...create, ...from(source), args })
    this.#container = container
    this.#connect(container)
    try {
      await container.start({ signal: this.#options.signal })
    } catch (error) {
      await container[Symbol.asyncDispose]()
      throw error
    }
    this.#running = true
    if (this.#queued !== undefined) this.kill(this.#queued)
  }

  async #finish(begun: number, collectors: (Collector | undefined)[]): Promise<RunResult<Output>> {
    const container = this.#container!
    const { signal, timeout, reject = true, encoding = 'utf8', maxBuffer = MAX_BUFFER } = this.#options
    const end = (): void => this.#end()
    signal?.addEventListener('abort', end, { once: true })
    if (signal?.aborted) end()
    const timer = timeout ? setTimeout(() => ((this.#timedOut = true), end()), timeout) : undefined
    let exit
    try {
      exit = await container.wait()
    } finally {
      clearTimeout(timer)
      this.#ending.abort()
      signal?.removeEventListener('abort', end)
      await container.delete({ force: true })
    }
    this.stdin?.destroy()
    const outputs = [this.stdout, this.stderr].filter((stream) => stream !== null)
    outputs.forEach(discardUnread)
    await Promise.all(outputs.map((stream) => finished(stream).catch(() => {})))
    await container.outputPassedOn()
    if (signal?.aborted) throw signal.reason
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
    const error = processError(result, { timeout, overflow: this.#overflow, maxBuffer })
    if (error && reject) throw error
    return result
  }

  #end(): void {
    const { killSignal = 'SIGKILL', forceKillAfterDelay = 5000 } = this.#options
    this.kill(killSignal)
    if (signalNumber(killSignal) === 9) return
    const timer = setTimeout(() => this.kill('SIGKILL'), forceKillAfterDelay)
    this.#ending.signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  }

  #collect(stream: Readable | null): Collector | undefined {
    if (!stream || this.#options.buffer === false) return undefined
    const { maxBuffer = MAX_BUFFER } = this.#options
    return new Collector(stream, maxBuffer, () => {
      this.#overflow = true
      this.kill('SIGKILL')
    })
  }

  #connect(container: Container): void {
    const { input } = this.#options
    const terminal = container.console
    const [stdin, stdout, stderr] = [
      terminal ?? container.stdin,
      terminal ?? container.stdout,
      container.stderr,
    ]
    if (stdin && this.stdin) {
      this.stdin.on('error', () => {})
      ;(this.stdin as PassThrough).pipe(stdin, { end: !terminal })
      if (input instanceof Readable) input.pipe(this.stdin)
      else if (input !== undefined) this.stdin.end(input)
    }
    if (this.stdout) pump(stdout, this.stdout as PassThrough)
    if (this.stderr) pump(stderr, this.stderr as PassThrough)
  }

  #closeStreams(): void {
    for (const stream of [this.stdin, this.stdout, this.stderr] as (PassThrough | null)[]) stream?.end()
  }
}

/** An error of the source is its end: what was read until then is the output. */
function pump(from: Readable | null, to: PassThrough): void {
  if (!from) return void to.end()
  from.on('error', () => to.end())
  from.pipe(to)
}

function pipes(options: RunOptions): boolean[] {
  let plan
  try {
    plan = planStdio(options.stdio)
  } catch {
    return [false, false, false] // reported by create
  }
  return plan.numbers.map((number, index) => number === -2 && plan.connect[index] === undefined)
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
