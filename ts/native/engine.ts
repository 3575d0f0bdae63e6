/**
 * Promises over the native engine: every request has one reply, every container one exit. The engine's callback never
 * keeps Node alive; pending requests and attached containers do, through one idle timer.
 */
import { CaissonError } from '../errors.ts'
import { addon, helperPath } from './addon.ts'
import type {
  CreateRequest,
  DestroyRequest,
  Engine as NativeEngine,
  NativeCreated,
  NativeEvent,
  NativeSyscall,
} from './binding.d.ts'
import { errorFrom } from './failure.ts'

export type { CreateRequest, NativeCreated, NativeSyscall, OverlayRequest } from './binding.d.ts'

/** How a container's first process ended; both null when the kernel cannot tell. */
export interface Exit {
  exitCode: number | null
  signal: number | null
  oomKilled: boolean
}

/** The single reply to a request. */
type Answer = Exclude<NativeEvent, { kind: 'exit' | 'syscall' }>

/** A native engine; created on first use by {@link engine}. */
export class Engine {
  readonly #native: NativeEngine
  readonly #pending = new Map<number, (event: Answer) => void>()
  readonly #exits = new Map<number, Exit>()
  readonly #waiters = new Map<number, (exit: Exit) => void>()
  readonly #calls = new Map<number, (call: NativeSyscall) => void>()
  readonly #holders = new Set<unknown>()
  #timer: NodeJS.Timeout | undefined

  constructor() {
    this.#native = new (addon().Engine)(helperPath(), (event) => this.#receive(event))
  }

  /** Creates a container, including its runtime hooks. An abort undoes it, and the create rejects. */
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

  /** Starts the program; resolves after poststart hooks. */
  async start(root: string, id: string): Promise<void> {
    await this.#ask(id, this.#native.start(root, id), 'started')
  }

  /** Kills a container, removes everything that belongs to it, and runs poststop hooks. Resolves with warnings. */
  async destroy(request: DestroyRequest): Promise<string[]> {
    return (await this.#ask(request.id, this.#native.destroy(request), 'destroyed')).warnings
  }

  /** Watches a container of another process; the handle is for {@link exited}. */
  async watch(root: string, id: string): Promise<number> {
    return (await this.#ask(id, this.#native.watch(root, id), 'watching')).handle
  }

  /**
   * Watches any process, told by its start time from others with its pid. Rejects with `ERR_INVALID_STATE` where it has
   * ended. The handle is for {@link exited}.
   */
  async watchProcess(pid: number, startTime: string): Promise<number> {
    return (await this.#ask(undefined, this.#native.watchProcess(pid, startTime), 'watching')).handle
  }

  /**
   * Copies bytes between a terminal and this process's own descriptors 0 and 1 until the program has ended. Called
   * before the start, it leaves line endings of all the program's output unchanged.
   */
  async proxyTerminal(id: string, master: number, handle: number | undefined): Promise<void> {
    await this.#ask(id, this.#native.proxyTerminal(master, handle), 'ended')
  }

  /** The exit of a container, once; waiting for it does not by itself keep Node alive. */
  exited(handle: number): Promise<Exit> {
    const known = this.#exits.get(handle)
    if (known) {
      this.#exits.delete(handle)
      return Promise.resolve(known)
    }
    return new Promise((resolve) => this.#waiters.set(handle, resolve))
  }

  /** Calls `answer` for each system call of a container that waits, until the container is gone. */
  onSystemCall(handle: number, answer: (call: NativeSyscall) => void): void {
    this.#calls.set(handle, answer)
  }

  /** Answers a system call. One that does not wait any more is ignored. */
  answerSystemCall(
    containerId: string,
    handle: number,
    id: bigint,
    answer: { errno?: number; value?: bigint; continue?: true },
  ): void {
    const failure = this.#native.answerSyscall(handle, id, answer.errno, answer.value)
    if (failure) throw errorFrom(failure, containerId)
  }

  /** Memory of a process that waits in a system call. */
  async readMemory(
    containerId: string,
    call: { handle: number; id: bigint; pid: number },
    address: bigint,
    length: number,
  ): Promise<Buffer> {
    const token = this.#native.readMemory(call.handle, call.id, call.pid, address, length)
    return (await this.#ask(containerId, token, 'memory')).bytes
  }

  /** Forgets who answers the system calls of a container that is gone. */
  endSystemCalls(handle: number): void {
    this.#calls.delete(handle)
  }

  /** Detaches a container. */
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
    containerId: string | undefined,
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
    if (event.kind === 'syscall') return this.#calls.get(event.handle)?.(event.call)
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
