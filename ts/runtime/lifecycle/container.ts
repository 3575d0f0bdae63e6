/** One container: of this process, or found in the state directory. */
import { join } from 'node:path'
import { explainErrors } from '../../boundary.ts'
import { CaissonError } from '../../errors.ts'
import type { Readable, Writable } from 'node:stream'
import { engine, type Exit, type NativeCreated } from '../../native/engine.ts'
import { abortable } from './abort.ts'
import type { CommitOptions } from './commit.ts'
import type { Console } from '../stdio/console.ts'
import { checkOptions, flag } from '../../options.ts'
import { signalOption } from '../known-options.ts'
import type { RuntimeSettings } from './create.ts'
import { signalName, signalNumber, type Signal } from '../process/signal.ts'
import type { Image, ImageOrigin } from '../../image/index.ts'
import { removeLeased } from '../../image/store/container-directory.ts'
import { readContainer, signalContainer, type ContainerRecord } from '../../native/state.ts'
import { KeepAlive } from './keep-alive.ts'
import { followParent } from './parent.ts'
import type { Owner } from './owner.ts'
import { containerState, writableLayer, type ContainerState } from '../state/state.ts'
import type { CallerStreams } from '../stdio/caller-streams.ts'
import { answerSystemCalls, type Notify } from '../system-call/answer.ts'
import { transfer } from '../stdio/transfer.ts'
import { Streams } from '../stdio/streams.ts'

/** How a container's program ended. `exitCode` and `signal` are both null only where the kernel cannot tell. */
export interface ContainerExit {
  exitCode: number | null
  /** `'SIGKILL'`, … when a signal ended it. */
  signal: string | null
  /** The memory limit ended it. */
  oomKilled: boolean
}

/** What only the process knows that made the container. */
export interface Ownership {
  created: NativeCreated
  detached: boolean
  dispose: () => Promise<void>
  /** Path of the directory with what the container writes, where it is on disk. */
  writableLayer: string | undefined
  image: ImageOrigin | undefined
  /** Streams that the caller gave. */
  given: CallerStreams
  /** The container ends when this process is gone. */
  parent: Owner | undefined
  /** Answers its system calls. */
  notify: Notify | undefined
}

/** Exits of the containers of this process, by state directory, for every other object of the same container. */
const exits = new Map<string, Promise<ContainerExit>>()

/**
 * A container that exists. Made by {@link Runtime.create} or found by {@link Runtime.get}; disposable: `await using`
 * kills and deletes it.
 *
 * @example
 * ```ts
 * await using container = await new Runtime().create('web-1', { bundle: './bundle' })
 * await container.start()
 * const { exitCode } = await container.wait()
 * ```
 */
export class Container {
  readonly id: string
  readonly #settings: RuntimeSettings
  readonly #ownership: Ownership | undefined
  /** As it was when it was found. */
  readonly #found: ContainerRecord | undefined
  readonly #streams: Streams
  readonly #exit: Promise<ContainerExit> | undefined
  readonly #keepAlive = new KeepAlive()
  #started = false
  #ended = false
  #pid: number

  /** @internal */
  constructor(settings: RuntimeSettings, id: string, ownership?: Ownership, found?: ContainerRecord) {
    this.id = id
    this.#settings = settings
    this.#ownership = ownership
    this.#found = found
    this.#streams = new Streams(ownership?.created)
    this.#pid = ownership?.created.pid ?? found?.state?.pid ?? 0
    const directory = join(settings.root, id)
    this.#exit = exits.get(directory)
    if (ownership) {
      this.#exit = engine()
        .exited(ownership.created.handle)
        .then((exit) => {
          this.#ended = true
          return exitOf(exit)
        })
      exits.set(directory, this.#exit)
      this.#connect(ownership.given)
      if (ownership.notify) {
        const warn = (message: string): void => settings.warn(message, id)
        answerSystemCalls(id, ownership.created.handle, ownership.notify, warn)
      }
      if (ownership.parent) this.#follow(ownership.parent, this.#exit)
    }
  }

  /** Process id on the host of the container's first process. */
  get pid(): number {
    return this.#pid
  }

  /**
   * Directory on the host with the container's own files, in overlayfs's form: an image's, unless they are in memory or
   * copied. It goes with the container. Undefined otherwise.
   */
  get writableLayer(): string | undefined {
    return this.#ownership ? this.#ownership.writableLayer : writableLayer(this.#found?.state ?? {})
  }

  /** The image that it was made from, and where that was read. Undefined for a bundle or a directory. */
  get image(): ImageOrigin | undefined {
    return this.#ownership ? this.#ownership.image : this.#found?.state?.image
  }

  /** Where `stdio` made a pipe in this process; null otherwise. */
  get stdin(): Writable | null {
    return this.#streams.stdin
  }

  get stdout(): Readable | null {
    return this.#streams.stdout
  }

  get stderr(): Readable | null {
    return this.#streams.stderr
  }

  /** The terminal, where the configuration asks for one; null otherwise. */
  get console(): Console | null {
    return this.#streams.console
  }

  /** Derived at every call. Rejects with `ERR_NOT_FOUND` once it is deleted. */
  async state(): Promise<ContainerState> {
    return containerState(this.#settings.root, this.id)
  }

  /** Runs the user's program. Rejects with `ERR_INVALID_STATE`, `ERR_EXEC_NOT_FOUND`, `ERR_EXEC_DENIED`, `ERR_HOOK`. */
  async start(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    checkOptions(options, signalOption)
    const { signal } = options
    signal?.throwIfAborted()
    const { root } = this.#settings
    if (this.#ownership && !this.#ownership.detached) {
      this.#started = true
      if (this.#keepAlive.referenced) this.#streams.ref()
      this.#keepAlive.hold(this)
      void this.#exit?.then(() => this.#keepAlive.release(this))
    }
    const starting = engine().start(root, this.id)
    try {
      await abortable(starting, signal)
    } catch (error) {
      const failedHook = error instanceof CaissonError && error.code === 'ERR_HOOK'
      if (failedHook || signal?.aborted) {
        // After a failing hook the native side has deleted the container; its files go with this.
        await this.delete({ force: true }).catch((cause: Error) =>
          this.#settings.warn(cause.message, this.id),
        )
        await starting.catch(() => {})
      } else if (await this.#isOver()) this.#keepAlive.release(this)
      throw error
    }
  }

  /**
   * How the program ended; may be called any number of times, before, while and after it runs. For a container of
   * another process that had ended before the call both are null.
   */
  async wait(options: { signal?: AbortSignal | undefined } = {}): Promise<ContainerExit> {
    checkOptions(options, signalOption)
    const { signal } = options
    signal?.throwIfAborted()
    const held = {}
    this.#keepAlive.hold(held)
    try {
      return await abortable(this.#exit ?? this.#watch(signal), signal)
    } finally {
      this.#keepAlive.release(held)
    }
  }

  async #watch(signal: AbortSignal | undefined): Promise<ContainerExit> {
    let handle: number
    try {
      handle = await engine().watch(this.#settings.root, this.id)
    } catch (error) {
      if (!(error instanceof CaissonError && error.code === 'ERR_INVALID_STATE')) throw error
      return { exitCode: null, signal: null, oomKilled: false }
    }
    const release = (): void => engine().release(handle)
    signal?.addEventListener('abort', release, { once: true })
    try {
      return exitOf(await engine().exited(handle))
    } finally {
      signal?.removeEventListener('abort', release)
      release()
    }
  }

  /** Node may end while it runs, and an attached container ends with it. Undone by {@link ref}. */
  unref(): this {
    this.#keepAlive.unref()
    this.#streams.unref()
    return this
  }

  /** Node stays while it runs, which is the default of an attached container, and while {@link wait} does. */
  ref(): this {
    this.#keepAlive.ref()
    if (this.#started) this.#streams.ref()
    return this
  }

  /** Signals the first process; `all` every process. Rejects with `ERR_INVALID_STATE` once it has ended. */
  async kill(signal: Signal = 'SIGTERM', options: { all?: boolean } = {}): Promise<void> {
    checkOptions(options, { all: flag })
    const { all = false } = options
    await signalContainer(this.#settings.root, this.id, signalNumber(signal), all)
  }

  /**
   * Makes an image of its changes, on top of the image that it was made from; layers that `layout` lacks are copied. A
   * container that writes meanwhile may give `ERR_CHANGED`. Rejects with `ERR_INVALID_STATE` where it was made from
   * something else or keeps its changes in memory, and with `ERR_IMAGE_NOT_FOUND` where the image is gone.
   */
  async commit(options: CommitOptions): Promise<Image> {
    const { root, warn } = this.#settings
    const { commitContainer } = await import('./commit.ts')
    const { state } = await readContainer(root, this.id)
    if (state?.ready)
      return commitContainer(root, this.id, state, options, (message) => warn(message, this.id))
    throw new CaissonError('ERR_INVALID_STATE', `container ${this.id} is not made yet`, {
      containerId: this.id,
    })
  }

  /**
   * Removes all that belongs to it. Rejects with `ERR_INVALID_STATE` while it runs and with `ERR_NOT_FOUND` when it is
   * gone already; `force` kills it first, and one that is gone is fine then.
   */
  async delete(options: { force?: boolean } = {}): Promise<void> {
    checkOptions(options, { force: flag })
    const { force = false } = options
    const { root, warn } = this.#settings
    const directory = this.#ownership ? undefined : await directoryOf(root, this.id, force)
    // Its program has ended: its files go while the native side removes the rest.
    const early = this.#ended ? this.#ownership?.dispose() : undefined
    early?.catch(() => {})
    try {
      for (const warning of await engine().destroy({ root, id: this.id, force })) warn(warning, this.id)
    } catch (error) {
      if (!force || !(error instanceof CaissonError && error.code === 'ERR_NOT_FOUND')) throw error
    }
    exits.delete(join(root, this.id))
    if (this.#ownership) engine().endSystemCalls(this.#ownership.created.handle)
    this.#keepAlive.release(this)
    this.#streams.close()
    this.#pid = 0
    // Again, if processes that had outlived the program were still writing.
    await (early?.catch(() => this.#ownership?.dispose()) ?? this.#ownership?.dispose())
    if (directory) await removeLeased(directory, join(root, this.id))
  }

  /** Kills and deletes it; fine when it is gone already. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.delete({ force: true })
  }

  /** @internal The terminal's master, to be handed on as a descriptor; the caller owns it then. */
  takeConsole(): number | undefined {
    return this.#streams.take('console')
  }

  /** @internal Number of the container in the native side, where this process made it. */
  get handle(): number | undefined {
    return this.#ownership?.created.handle
  }

  #follow(parent: Owner, exit: Promise<ContainerExit>): void {
    const stop = followParent(parent, () => void this.kill('SIGKILL').catch(() => {})) // it has just ended
    void exit.then(stop)
  }

  async #isOver(): Promise<boolean> {
    try {
      return (await containerState(this.#settings.root, this.id)).status !== 'running'
    } catch {
      return true
    }
  }

  #connect({ stdin, stdout, stderr }: CallerStreams): void {
    const terminal = stdin || stdout ? this.console : null
    if (stdin) connect(stdin, terminal ?? this.stdin)
    if (stdout) connect(terminal ?? this.stdout, stdout)
    if (stderr) connect(this.stderr, stderr)
  }
}
explainErrors(Container)

function connect(from: Readable | null, to: Writable | null): void {
  if (from && to) void transfer(from, to)
}

/** What was made for a container of another process. Undefined with `force` where it is gone already. */
async function directoryOf(root: string, id: string, force: boolean): Promise<string | undefined> {
  try {
    return (await readContainer(root, id)).directory
  } catch (error) {
    if (force && error instanceof CaissonError && error.code === 'ERR_NOT_FOUND') return undefined
    throw error
  }
}

function exitOf({ exitCode, signal, oomKilled }: Exit): ContainerExit {
  return { exitCode, signal: signal === null ? null : signalName(signal), oomKilled }
}
