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

interface Pending {
  containerId: string
  resolve: (event: NativeEvent) => void
  reject: (error: CaissonError) => void
}

/** One native engine; made on first use by {@link engine}. */
export class Engine {
  readonly #native: NativeEngine
  readonly #pending = new Map<number, Pending>()
  readonly #exits = new Map<number, Exit>()
  readonly #waiters = new Map<number, (exit: Exit) => void>()
  readonly #holders = new Set<unknown>()
  #timer: NodeJS.Timeout | undefined

  constructor() {
    this.#native = new (addon().Engine)(helperPath(), (event) => this.#receive(event))
  }

  /** Makes a container, up to `created`, or up to its runtime hooks (`hooks: true`). */
  async create(request: CreateRequest): Promise<NativeCreated> {
    return created(await this.#ask(request.id, this.#native.create(request)))
  }

  /** Runtime hooks have passed. */
  async proceed(id: string, handle: number): Promise<NativeCreated> {
    return created(await this.#ask(id, this.#native.proceed(handle)))
  }

  async start(root: string, id: string): Promise<void> {
    await this.#ask(id, this.#native.start(root, id))
  }

  /** Ends what is left of a container and removes all that belongs to it. */
  async destroy(request: DestroyRequest): Promise<void> {
    await this.#ask(request.id, this.#native.destroy(request))
  }

  /** Follows a container of another process; the handle is for {@link exited}. */
  async watch(root: string, id: string): Promise<number> {
    const { handle } = await this.#ask(id, this.#native.watch(root, id))
    return handle ?? 0
  }

  /**
   * Carries bytes between a terminal and this process's own descriptors 0 and 1 until the program has ended. Called before
   * the start, nothing the program says has had its line ends changed.
   */
  async proxyTerminal(id: string, master: number, handle: number | undefined): Promise<void> {
    await this.#ask(id, this.#native.proxyTerminal(master, handle))
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

  #ask(containerId: string, token: number): Promise<NativeEvent> {
    return new Promise((resolve, reject) => {
      this.#pending.set(token, { containerId, resolve, reject })
      this.hold(token)
    })
  }

  #receive(event: NativeEvent): void {
    if (event.token === undefined) {
      this.#ended(event)
      return
    }
    const pending = this.#pending.get(event.token)
    this.#pending.delete(event.token)
    this.unhold(event.token)
    if (event.error) pending?.reject(errorFrom(event.error, pending.containerId))
    else pending?.resolve(event)
  }

  #ended(event: NativeEvent): void {
    const { handle = 0, exitCode = null, signal = null, oomKilled = false } = event
    const exit = { exitCode, signal, oomKilled }
    const waiter = this.#waiters.get(handle)
    this.#waiters.delete(handle)
    if (waiter) waiter(exit)
    else this.#exits.set(handle, exit)
  }
}

function created(event: NativeEvent): NativeCreated {
  if (event.created) return event.created
  throw new CaissonError('ERR_BINDING_MISSING', 'the native package does not fit this version of caisson', {
    hint: 'install caisson and its platform package in the same version',
  })
}

let shared: Engine | undefined

/** The engine of this module instance (and so of this thread). */
export function engine(): Engine {
  return (shared ??= new Engine())
}
