/** Garbage collection: removes what no image of the store refers to and no process uses. */
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { OpenLayout } from '../../native/layout.ts'
import { tryLockDirectory, type FileLock } from '../../native/lock.ts'
import type { Layout } from '../layout.ts'
import { containersPath, sweepContainers } from './container-directory.ts'
import { references } from './references.ts'
import { removeOwned } from './remove.ts'
import { listSnapshots, readRecord, snapshotPath } from './snapshot-files.ts'
import { chainIdOf } from './snapshot-id.ts'

export interface CollectOptions {
  /** Keeps snapshots opened within this many milliseconds, even if no image refers to them. Default 0. */
  unusedFor?: number | undefined
  signal?: AbortSignal | undefined
}

export interface CollectResult {
  /** ChainIDs that were removed. */
  snapshots: string[]
  /** Digests of blobs that were removed. */
  blobs: string[]
  /** Size of those blobs, and of the files in those snapshots. */
  bytes: number
}

/** The caller holds the store's lock exclusively: nothing is added meanwhile. */
export async function collect(
  layout: Layout,
  { unusedFor = 0, signal }: CollectOptions,
): Promise<CollectResult> {
  const store = layout.path
  const needed = await references(layout)
  for (const chainId of await sweepContainers(containersPath(store))) needed.snapshots.add(chainId)
  const result: CollectResult = { snapshots: [], blobs: [], bytes: 0 }
  const free = await freeSnapshots(store, needed.snapshots, unusedFor)
  try {
    for (const [chainId] of free) {
      signal?.throwIfAborted()
      result.bytes += readRecord(store, chainId)?.bytes ?? 0
      await removeSnapshot(store, chainId)
      result.snapshots.push(chainId)
    }
  } finally {
    for (const lock of free.values()) lock.close()
  }
  using directory = await OpenLayout.open(store)
  const { removed, bytes } = await directory.collect(needed.blobs, { signal })
  result.bytes += bytes
  result.blobs = removed.filter((digest) => /^\w+:[a-f0-9]+$/.test(digest)) // not unfinished ones
  await removeUnpackLocks(store)
  return result
}

/** Snapshots that may be removed, each with its exclusive lock, topmost first. */
async function freeSnapshots(
  store: string,
  needed: ReadonlySet<string>,
  unusedFor: number,
): Promise<Map<string, FileLock>> {
  const parents = new Map(
    listSnapshots(store).map((chainId) => [chainId, readRecord(store, chainId)?.parent]),
  )
  const locks = new Map<string, FileLock>()
  const kept = new Set<string>()
  for (const chainId of parents.keys()) {
    const path = join(store, snapshotPath(chainId))
    const recent = unusedFor > 0 && Date.now() - (await stat(path)).mtimeMs < unusedFor
    const lock =
      needed.has(chainId) || needed.has(chainIdOf(chainId)) || recent
        ? undefined
        : tryLockDirectory(path, 'exclusive')
    if (lock) locks.set(chainId, lock)
    // In use, and so is everything below it.
    else
      for (let id: string | null | undefined = chainId; id && !kept.has(id); id = parents.get(id))
        kept.add(id)
  }
  const depth = (chainId: string): number => {
    let count = 0
    for (let id: string | null | undefined = chainId; id && count <= parents.size; id = parents.get(id))
      count++
    return count
  }
  for (const [chainId, lock] of locks) {
    if (!kept.has(chainId)) continue
    lock.close()
    locks.delete(chainId)
  }
  return new Map([...locks].sort(([a], [b]) => depth(b) - depth(a)))
}

/** Renames it first, atomically; if this process dies, a sweep removes the rest. The caller holds its lock. */
export async function removeSnapshot(store: string, chainId: string): Promise<void> {
  const away = join(store, 'ingest', `removed-${randomUUID()}`)
  await rename(join(store, snapshotPath(chainId)), away)
  await removeOwned(away)
}

/** Removes lock files of unpackers; they are unused, as the store is locked. */
async function removeUnpackLocks(store: string): Promise<void> {
  const names = await readdir(join(store, 'locks')).catch(() => [])
  await Promise.all(names.map((name) => rm(join(store, 'locks', name), { force: true })))
}
