/**
 * A directory that belongs to a container: its writable layer, or a bundle created for it, and during its life a lease
 * on layers of the store. The creating process holds its lock; for a container that outlives the process, `lease.json`
 * says until when.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { CaissonError, systemError } from '../../errors.ts'
import { makeDirectoriesSync } from '../host-path.ts'
import { addon } from '../../native/addon.ts'
import { tryLockDirectory, type FileLock } from '../../native/lock.ts'
import { removeOwned } from './remove.ts'
import { bootId } from './boot-id.ts'

/** Their parent directory in a store. */
export function containersPath(store: string): string {
  return join(store, 'containers')
}

/** The lease of a container without a process that holds its lock. */
export interface Lease {
  /** Layers that must not be removed. */
  chainIds: readonly string[]
  /** Absolute path of its state directory: the lease ends with it. */
  state: string
}

/** `lease.json`: a lease also ends when the machine reboots. */
interface LeaseFile extends Lease {
  bootId: string
}

/** A sweep removes at most one new directory; more failures in a row have another cause. */
const ATTEMPTS = 16

export class ContainerDirectory {
  /** Absolute. */
  readonly path: string
  readonly #lock: FileLock

  private constructor(path: string, lock: FileLock) {
    this.path = path
    this.#lock = lock
  }

  /** Creates `parent` if it is missing. Throws `ERR_SYSCALL`, `ERR_CHANGED`, `ERR_BINDING_MISSING`. */
  static create(parent: string, lease?: Lease): ContainerDirectory {
    addon() // before there is anything to remove
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const path = join(parent, randomBytes(8).toString('hex'))
      try {
        makeDirectoriesSync(path, 0o700)
      } catch (cause) {
        throw systemError(`cannot make the directory ${path}`, cause, { phase: 'prepare' })
      }
      const lock = lockNew(path)
      if (!lock) continue
      const directory = new ContainerDirectory(path, lock)
      if (lease) directory.#keep(lease)
      else removeAtExit(directory)
      return directory
    }
    const message = `cannot lock a new directory in ${parent}: removed by another process ${ATTEMPTS} times`
    throw new CaissonError('ERR_CHANGED', message, { phase: 'prepare', path: parent })
  }

  /** Leaves nothing behind if a full disk has no room for the lease. */
  #keep(lease: Lease): void {
    const file: LeaseFile = { ...lease, bootId: bootId() }
    try {
      writeFileSync(join(this.path, 'lease.json'), JSON.stringify(file), { flag: 'wx', mode: 0o600 })
    } catch (error) {
      rmSync(this.path, { recursive: true, force: true })
      this.#lock.close()
      throw systemError(`cannot write the lease of ${this.path}`, error, { phase: 'prepare' })
    }
  }

  /** Removes it with everything that the container wrote. A failure, such as a lack of descriptors, is retried. */
  async remove(): Promise<void> {
    try {
      await removeOwned(this.path)
      attached.delete(this)
    } catch (error) {
      removeLater(this)
      throw error
    } finally {
      await this.#lock.closeAside()
    }
  }
}

/** Directories of containers that end with this process. */
const attached = new Set<ContainerDirectory>()
let listens = false

/**
 * Milliseconds between attempts to remove a directory; after the last one it is left to the end of this process.
 */
const DELAYS = [100, 1000, 10_000]

function removeLater(directory: ContainerDirectory, [delay, ...others] = DELAYS): void {
  if (delay === undefined) return
  const again = (): void =>
    void removeOwned(directory.path).then(
      () => attached.delete(directory),
      () => removeLater(directory, others),
    )
  setTimeout(again, delay).unref()
}

function removeAtExit(directory: ContainerDirectory): void {
  attached.add(directory)
  if (listens) return
  listens = true
  process.once('exit', () => {
    for (const { path } of attached) {
      try {
        rmSync(path, { recursive: true, force: true })
      } catch {
        // still being written to, or of other ids: the next process sweeps it
      }
    }
  })
}

/** Undefined only if a sweep was faster than this lock. Any other failure removes the directory. */
function lockNew(path: string): FileLock | undefined {
  try {
    return tryLockDirectory(path, 'exclusive')
  } catch (error) {
    if (error instanceof CaissonError && error.code === 'ERR_NOT_FOUND') return undefined
    rmdirSync(path)
    throw error
  }
}

/** Undefined if it is in use, gone or inaccessible: the next sweep tries again. */
function tryLock(path: string): FileLock | undefined {
  try {
    return tryLockDirectory(path, 'exclusive')
  } catch {
    return undefined
  }
}

function leaseOf(path: string): LeaseFile | undefined {
  try {
    return JSON.parse(readFileSync(join(path, 'lease.json'), 'utf8')) as LeaseFile
  } catch {
    return undefined
  }
}

/** Directories checked in one turn of the event loop. */
const TURN = 32

/**
 * Removes directories of containers of killed processes, up to a limit. Resolves with the chainIDs that live containers
 * lease.
 */
export async function sweepContainers(parent: string, most: number = Infinity): Promise<string[]> {
  let names: string[]
  try {
    names = await readdir(parent)
  } catch {
    return [] // there was never a container
  }
  const leased: string[] = []
  const boot = bootId()
  let removed = 0
  for (const [index, name] of names.entries()) {
    if (removed >= most) break
    if (index % TURN === TURN - 1) await setImmediate()
    const path = join(parent, name)
    const lease = leaseOf(path)
    const alive = lease !== undefined && lease.bootId === boot && existsSync(lease.state)
    if (alive) leased.push(...lease.chainIds)
    using lock = alive ? undefined : tryLock(path)
    if (!lock) continue
    await removeOwned(path)
    removed += 1
  }
  return leased
}

/**
 * Removes the directory of a container that another process created.
 *
 * SECURITY: its path is from a state file. Only a directory created for that container is removed: it belongs to us, is
 * where we create them, and its lease names the container's state directory. Others are left to {@link
 * sweepContainers}.
 */
export async function removeLeased(path: string, state: string): Promise<void> {
  if (isLeasedBy(path, state)) await removeOwned(path)
}

function isLeasedBy(path: string, state: string): boolean {
  const parent = dirname(path)
  if (!/^[0-9a-f]{16}$/.test(basename(path)) || !PARENTS.has(basename(parent))) return false
  const opened: number[] = []
  try {
    for (const directory of [parent, path]) {
      const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants
      opened.push(openSync(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    }
    const ours = opened.map((descriptor) => fstatSync(descriptor))
    if (ours.some(({ uid, mode }) => uid !== process.geteuid?.() || (mode & 0o022) !== 0)) return false
    const lease = readFileSync(`/proc/self/fd/${opened[1]}/lease.json`, 'utf8')
    return (JSON.parse(lease) as LeaseFile).state === state
  } catch {
    return false
  } finally {
    for (const descriptor of opened) closeSync(descriptor)
  }
}

/** Names of their parent directories: in a store, and in a state root. */
const PARENTS: ReadonlySet<string> = new Set(['containers', '.bundles'])
