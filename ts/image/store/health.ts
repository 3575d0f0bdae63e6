/** Verifies and repairs a store. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { OpenLayout } from '../../native/layout.ts'
import { tryLockDirectory } from '../../native/lock.ts'
import { checkSnapshot } from '../../native/store.ts'
import { Image } from '../image.ts'
import type { Layout } from '../layout.ts'
import { removeSnapshot } from './collect.ts'
import { listBlobs } from './content.ts'
import { references } from './references.ts'
import { listSnapshots, snapshotPath } from './snapshot-files.ts'

/** Something in a store that differs from its record. */
export interface Damage {
  kind: 'snapshot' | 'blob'
  /** ChainID or digest. */
  id: string
  reason: string
}

export interface StoreHealth {
  /** Nothing is damaged. */
  sound: boolean
  /** Number of snapshots and blobs that were checked. */
  snapshots: number
  blobs: number
  damaged: Damage[]
  /** Blobs that images refer to and the store lacks: their layers cannot be unpacked again. */
  missing: string[]
}

export interface RepairResult {
  /** What was removed; the next use unpacks it again. */
  removed: Damage[]
  /** Snapshots that were recreated at once, as the store has the content. */
  restored: string[]
  /** Damaged snapshots in use, which are not removed. */
  inUse: Damage[]
}

export interface InspectOptions {
  /** `false` skips the contents of files in snapshots, and checks only their attributes. */
  contents?: boolean | undefined
  signal?: AbortSignal | undefined
}

/** Compares all snapshots with their records, and all blobs with their names. */
export async function inspect(
  layout: Layout,
  { contents = true, signal }: InspectOptions,
): Promise<StoreHealth> {
  const damaged: Damage[] = []
  const snapshots = listSnapshots(layout.path)
  for (const id of snapshots) {
    const { health, reason = '' } = await checkSnapshot(layout.path, id, contents, { signal })
    if (health === 'damaged') damaged.push({ kind: 'snapshot', id, reason })
  }
  const digests = (await listBlobs(layout)).flatMap(({ digest }) => digest ?? [])
  for (const id of digests) {
    const found = await digestOf(layout.blobPath(id), id, signal)
    if (found !== id) damaged.push({ kind: 'blob', id, reason: `its digest is ${found}` })
  }
  const { blobs } = await references(layout)
  const missing = [...blobs].filter((digest) => !digests.includes(digest)).sort()
  const counts = { snapshots: snapshots.length, blobs: digests.length }
  return { sound: damaged.length === 0, ...counts, damaged, missing }
}

async function digestOf(path: string, digest: string, signal?: AbortSignal): Promise<string> {
  const algorithm = digest.slice(0, digest.indexOf(':'))
  const hash = createHash(algorithm)
  await pipeline(createReadStream(path, { highWaterMark: 256 << 10 }), hash, { signal })
  return `${algorithm}:${hash.digest('hex')}`
}

/** Removes damaged content that is not in use. The caller holds the store's lock exclusively. */
export async function removeDamaged(
  layout: Layout,
  damaged: readonly Damage[],
): Promise<Pick<RepairResult, 'removed' | 'inUse'>> {
  const result: Pick<RepairResult, 'removed' | 'inUse'> = { removed: [], inUse: [] }
  using directory = await OpenLayout.open(layout.path)
  for (const damage of damaged) {
    if (damage.kind === 'blob') {
      await directory.removeBlob(damage.id)
      result.removed.push(damage)
      continue
    }
    using lock = tryLockDirectory(join(layout.path, snapshotPath(damage.id)), 'exclusive')
    if (lock) await removeSnapshot(layout.path, damage.id)
    ;(lock ? result.removed : result.inUse).push(damage)
  }
  return result
}

/** The images of a store whose blobs all exist. */
export async function completeImages(layout: Layout): Promise<Image[]> {
  const images: Image[] = []
  for (const entry of (await layout.index()).manifests) {
    try {
      const image = await Image.from(layout, entry)
      if (image.config && (await image.missing()).length === 0) images.push(image)
    } catch {
      continue // an index, or damaged: nothing to make snapshots of
    }
  }
  return images
}
