/**
 * Promises over the native engine: every request has one answer, every container one exit. The engine's callback never
 * keeps Node alive; what is pending, and attached containers, do, through one idle timer.
 */
import { CaissonError } from '../errors.ts'
import { addon, helperPath } from './addon.ts'
import type {
  CreateRequest,
  DestroyRequest,
  Engine as NativeEngine,
  NativeCreated,
  NativeEvent,
} from './binding.d.ts'
import { errorFrom } from './failure.ts'

export type { CreateRequest, NativeCreated, OverlayRequest } from './binding.d.ts'

/** How a container's first process ended; both null when the kernel cannot tell. */
export interface Exit {
  exitCode: number | null
  signal: number | null
  oomKilled: boolean
}

/** The one answer of a request. */
type Answer = Exclude<NativeEvent, { kind: 'exit' }>

/** One native engine; made on first use by {@link engine}. */
export class Engine {
  readonly #native: NativeEngine
  readonly #pending = new Map<number, (event: Answer) => void>()
  readonly #exits = new Map<number, Exit>()
  readonly #waiters = new Map<number, (exit: Exit) => void>()
  readonly #holders = new Set<unknown>()
  #timer: NodeJS.Timeout | undefined

  constructor() {
    this.#native = new (addon().Engine)(helperPath(), (event) => this.#receive(event))
  }

  /** Makes a container, its runtime hooks included. An abort undoes it, and the create rejects. */
  async create(request: CreateRequest, signal?: AbortSignal): Promise<NativeCreated> {
    const token = this.#native.create(request)
    const cancel = (): void => this.#native.cancel(token)
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      return (await this.#ask(request.id, token, 'created')).created
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  /** Starts the program; poststart hooks have run when it resolves. */
  async start(root: string, id: string): Promise<void> {
    await this.#ask(id, this.#native.start(root, id), 'started')
  }

  /** Ends what is left of a container, removes all that belongs to it, runs poststop hooks. Resolves with warnings. */
  async destroy(request: DestroyRequest): Promise<string[]> {
    return (await this.#ask(request.id, this.#native.destroy(request), 'destroyed')).warnings
  }

  /** Follows a container of another process; the handle is for {@link exited}. */
  async watch(root: string, id: string): Promise<number> {
    return (await this.#ask(id, this.#native.watch(root, id), 'watching')).handle
  }

  /**
   * Carries bytes between a terminal and this process's own descriptors 0 and 1 until the program has ended. Called before
   * the start, nothing the program says has had its line ends changed.
   */
  async proxyTerminal(id: string, master: number, handle: number | undefined): Promise<void> {
    await this.#ask(id, this.#native.proxyTerminal(master, handle), 'ended')
  }

  /** The exit of a container, once; waiting for it does not keep Node alive by itself. */
  exited(handle: number): Promise<Exit> {
    const known = this.#exits.get(handle)
    if (known) {
      this.#exits.delete(handle)
      return Promise.resolve(known)
    }
    return new Promise((resolve) => this.#waiters.set(handle, resolve))
  }

  /** Leaves a container to itself. */
  release(handle: number): void {
    this.#native.release(handle)
    this.#waiters.delete(handle)
    this.#exits.delete(handle)
  }

  /** Keeps Node alive until {@link unhold} is called with the same value. */
  hold(holder: unknown): void {
    this.#holders.add(holder)
    this.#timer ??= setInterval(() => {}, 2 ** 30)
  }

  unhold(holder: unknown): void {
    this.#holders.delete(holder)
    if (this.#holders.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #ask<Kind extends Answer['kind']>(
    containerId: string,
    token: number,
    kind: Kind,
  ): Promise<Extract<Answer, { kind: Kind }>> {
    return new Promise((resolve, reject) => {
      const answer = (event: Answer): void => {
        if (event.kind === 'failed') reject(errorFrom(event.error, containerId))
        else if (event.kind === kind) resolve(event as Extract<Answer, { kind: Kind }>)
        else reject(new CaissonError('ERR_BINDING_MISSING', `unexpected answer of the engine: ${event.kind}`))
      }
      this.#pending.set(token, answer)
      this.hold(token)
    })
  }

  #receive(event: NativeEvent): void {
    if (event.kind === 'exit') return this.#ended(event)
    const answer = this.#pending.get(event.token)
    this.#pending.delete(event.token)
    this.unhold(event.token)
    answer?.(event)
  }

  #ended({ handle, exitCode, signal, oomKilled }: Extract<NativeEvent, { kind: 'exit' }>): void {
    const exit = { exitCode: exitCode ?? null, signal: signal ?? null, oomKilled }
    const waiter = this.#waiters.get(handle)
    this.#waiters.delete(handle)
    if (waiter) waiter(exit)
    else this.#exits.set(handle, exit)
  }
}

let shared: Engine | undefined

/** The engine of this module instance (and so of this thread). */
export function engine(): Engine {
  return (shared ??= new Engine())
}
