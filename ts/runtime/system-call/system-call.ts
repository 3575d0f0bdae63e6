/** A system call of a container's process that waits for an answer: seccomp_unotify(2). */
import { constants } from 'node:os'
import { CaissonError } from '../../errors.ts'
import { engine, type NativeSyscall } from '../../native/engine.ts'

/** Symbolic errno, such as `'EPERM'`. */
export type ErrnoName = keyof typeof constants.errno

/** What becomes of a call; made by the methods of {@link SystemCall}. */
export type SystemCallAnswer =
  { readonly errno: number } | { readonly value: bigint } | { readonly continue: true }

/** Largest errno that a call can return (`MAX_ERRNO` of Linux). */
const MAX_ERRNO = 4095
/** Most bytes that are read at once: PATH_MAX is 4096. */
const MAX_LENGTH = 16 * 2 ** 20

/**
 * A system call that a rule with `SCMP_ACT_NOTIFY` has stopped, before the kernel executes it. The process waits until
 * the callback has answered.
 *
 * @example
 * ```ts
 * const notify = async (call: SystemCall) =>
 *   (await call.readString(call.arguments[1]!)).startsWith('/data/') ? call.errno('ENOSPC') : call.continue()
 * ```
 */
export class SystemCall {
  /** Id of the thread on the host; 0 for one in a pid namespace that is not visible from here. */
  readonly pid: number
  /** Number of the call, in its architecture. */
  readonly number: number
  /** `'openat'`; undefined for a number without a name. */
  readonly name: string | undefined
  /** As in `linux.seccomp.architectures`: `'SCMP_ARCH_X86_64'`. */
  readonly architecture: string | undefined
  /** The six registers, as unsigned numbers; a call that takes fewer arguments leaves the rest undefined. */
  readonly arguments: readonly bigint[]
  readonly instructionPointer: bigint
  readonly #handle: number
  readonly #id: bigint
  readonly #containerId: string

  /** @internal */
  constructor(containerId: string, handle: number, call: NativeSyscall) {
    this.pid = call.pid
    this.number = call.number
    this.name = call.name
    this.architecture = call.architecture
    this.arguments = call.arguments
    this.instructionPointer = call.instructionPointer
    this.#handle = handle
    this.#id = call.id
    this.#containerId = containerId
  }

  /** The call fails with this errno. Throws `ERR_INVALID_OPTION` for one that does not exist. */
  errno(errno: ErrnoName | number): SystemCallAnswer {
    const number = typeof errno === 'number' ? errno : constants.errno[errno]
    if (Number.isInteger(number) && number >= 1 && number <= MAX_ERRNO) return { errno: number }
    throw new CaissonError(
      'ERR_INVALID_OPTION',
      `invalid errno ${JSON.stringify(errno)}: expected a name such as 'EPERM', or a number from 1 to ${MAX_ERRNO}`,
    )
  }

  /** The call is not executed, and returns this value. */
  value(value: number | bigint): SystemCallAnswer {
    return { value: BigInt(value) }
  }

  /**
   * The kernel executes the call. It is not a security boundary: another thread may have changed what its arguments
   * point to since they were looked at.
   */
  continue(): SystemCallAnswer {
    return { continue: true }
  }

  /**
   * Memory of the process: `length` bytes at `address`, fewer where a page that cannot be read follows. Rejects with
   * `ERR_SYSCALL` where nothing can be read, and with `ERR_INVALID_STATE` when the call does not wait any more.
   */
  readMemory(address: number | bigint, length: number): Promise<Buffer> {
    if (!Number.isInteger(length) || length < 0 || length > MAX_LENGTH) {
      const message = `invalid length ${length}: expected 0 to ${MAX_LENGTH} bytes`
      return Promise.reject(new CaissonError('ERR_INVALID_OPTION', message))
    }
    const call = { handle: this.#handle, id: this.#id, pid: this.pid }
    return engine().readMemory(this.#containerId, call, BigInt(address), length)
  }

  /**
   * A string that ends with a NUL, as paths do: UTF-8, at most `limit` bytes. Rejects with `ERR_LIMIT_EXCEEDED` for a
   * longer one, and as {@link readMemory} does.
   */
  async readString(address: number | bigint, limit = 4096): Promise<string> {
    const bytes = await this.readMemory(address, limit)
    const end = bytes.indexOf(0)
    if (end >= 0) return bytes.toString('utf8', 0, end)
    throw new CaissonError('ERR_LIMIT_EXCEEDED', `the string has no end within ${bytes.length} bytes`)
  }
}
