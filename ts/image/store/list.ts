/** The content of a store. */
import { join } from 'node:path'
import { tryLockDirectory } from '../../native/lock.ts'
import { REF_NAME, type Layout } from '../layout.ts'
import { listSnapshots, readRecord, snapshotPath, type SnapshotRecord } from './snapshot-files.ts'

export interface StoredImage {
  /** Undefined for an image that is found only by its digest. */
  name: string | undefined
  /** Digest of its manifest. */
  digest: string
  mediaType: string
}

export interface StoredSnapshot extends Omit<SnapshotRecord, 'version' | 'tree' | 'contents' | 'parent'> {
  /** ChainID of the snapshot below. */
  parent: string | undefined
  /** A process has it open; those below it are in use as well. */
  inUse: boolean
}

export interface StoreListing {
  images: StoredImage[]
  snapshots: StoredSnapshot[]
}

/** Without a layout there are no images. */
export async function listStore(store: string, layout: Layout | undefined): Promise<StoreListing> {
  if (!layout) return { images: [], snapshots: [] }
  const images = (await layout.index()).manifests.map(({ annotations, digest, mediaType }) => ({
    name: annotations?.[REF_NAME],
    digest,
    mediaType,
  }))
  const snapshots = listSnapshots(store).flatMap((chainId) => {
    const record = readRecord(store, chainId)
    if (!record) return []
    const { diffId, parent, entries, bytes, rootless, mapping, skipped } = record
    const inUse = isInUse(join(store, snapshotPath(chainId)))
    const said = { chainId, diffId, parent: parent ?? undefined, entries, bytes, rootless, skipped, inUse }
    return [mapping ? { ...said, mapping } : said]
  })
  return { images, snapshots }
}

function isInUse(path: string): boolean {
  try {
    using lock = tryLockDirectory(path, 'exclusive')
    return lock === undefined
  } catch {
    return false // removed meanwhile
  }
}
