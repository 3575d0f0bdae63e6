/**
 * What a container has in a store: a directory of its own for what it writes, and while the container lives a lease on
 * its layers. Locked by the process that made it; for a container that outlives this process `lease.json` says until when.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { removeTree } from '../../native/layer.ts'
import { tryLockDirectory, type FileLock } from '../../native/store.ts'

const CONTAINERS = 'containers'

/** A container that nobody's lock speaks for. */
export interface Lease {
  chainIds: readonly string[]
  /** Absolute path of its state directory: the lease ends with it. */
  state: string
  /** And with this boot of the machine. */
  bootId: string
}

export class ContainerDirectory {
  /** Below the store. */
  readonly name: string
  readonly path: string
  readonly #lock: FileLock

  private constructor(store: string, name: string, lock: FileLock) {
    this.name = name
    this.path = join(store, name)
    this.#lock = lock
  }

  static create(store: string, lease?: Lease): ContainerDirectory {
    for (;;) {
      const name = `${CONTAINERS}/${randomBytes(8).toString('hex')}`
      const path = join(store, name)
      mkdirSync(path, { recursive: true, mode: 0o700 })
      // Somebody who sweeps may have been faster than our lock: then under another name.
      const lock = tryLock(path)
      if (!lock) continue
      if (lease) writeFileSync(join(path, 'lease.json'), JSON.stringify(lease), { flag: 'wx', mode: 0o600 })
      return new ContainerDirectory(store, name, lock)
    }
  }

  /** Removes it with all that the container wrote. */
  async remove(): Promise<void> {
    try {
      await removeTree(this.path)
    } finally {
      await this.#lock.closeAside()
    }
  }
}

/** Removes the directory of a container that is gone, whoever made it. */
export async function removeContainerDirectory(store: string, name: string): Promise<void> {
  await removeTree(join(store, name))
}

function tryLock(path: string): FileLock | undefined {
  try {
    return tryLockDirectory(path, 'exclusive')
  } catch {
    return undefined // swept already
  }
}

function leaseOf(path: string): Lease | undefined {
  try {
    return JSON.parse(readFileSync(join(path, 'lease.json'), 'utf8')) as Lease
  } catch {
    return undefined
  }
}

/** Removes what containers of processes that were killed have left. Returns the chainIDs that living ones lease. */
export async function sweepContainers(store: string, bootId: string): Promise<string[]> {
  let names: string[]
  try {
    names = readdirSync(join(store, CONTAINERS))
  } catch {
    return [] // there was never a container
  }
  const leased: string[] = []
  for (const name of names) {
    const path = join(store, CONTAINERS, name)
    const lease = leaseOf(path)
    const alive = lease !== undefined && lease.bootId === bootId && existsSync(lease.state)
    if (alive) leased.push(...lease.chainIds)
    using lock = alive ? undefined : tryLock(path)
    if (lock) await removeTree(path)
  }
  return leased
}
