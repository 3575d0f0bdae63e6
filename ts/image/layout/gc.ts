/** Garbage of a layout: blobs that nothing in index.json leads to. */
import { join } from 'node:path'
import { CaissonError } from '../../errors.ts'
import { OpenLayout } from '../../native/layout.ts'
import { lockDirectory } from '../../native/lock.ts'
import type { Descriptor } from '../../spec/index.ts'
import { parseIndex, parseManifest } from '../document.ts'
import type { Layout } from '../layout.ts'
import { isIndexType, isManifestType } from '../media-type.ts'
import { readDocument } from '../source/read.ts'

export interface CollectGarbageOptions {
  /** Say what would go, and leave it. */
  dryRun?: boolean | undefined
  signal?: AbortSignal | undefined
}

export interface Collected {
  /** Digests of the blobs that went, in order; of what was never finished `ALGORITHM:NAME`. */
  removed: string[]
  /** Their bytes. */
  bytes: number
  /** How many blobs stay. */
  kept: number
}

/** Throws where a document that is referenced cannot be read: what it leads to is not known then. */
export async function collectGarbage(layout: Layout, options: CollectGarbageOptions): Promise<Collected> {
  const { dryRun = false, signal } = options
  using directory = await OpenLayout.open(layout.path)
  // Exclusive: no writer is about to tag a blob that is not referenced yet.
  using _ = await lockDirectory(join(directory.path, 'blobs'), 'exclusive', signal)
  const reachable = new Set<string>()
  await mark(layout, (await layout.index()).manifests, reachable, signal)
  return await directory.collect(reachable, { dryRun, signal })
}

/** Follows indexes and manifests; everything else is a blob without references, whatever it holds. */
async function mark(
  layout: Layout,
  descriptors: readonly Descriptor[],
  reachable: Set<string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const descriptor of descriptors) {
    signal?.throwIfAborted()
    const { digest, mediaType } = descriptor
    if (reachable.has(digest)) continue
    reachable.add(digest)
    if (isIndexType(mediaType)) {
      const text = await documentOf(layout, descriptor)
      if (text === undefined) continue
      const { manifests, subject } = await parseIndex(text, `index ${digest}`, mediaType)
      await mark(layout, subject ? [...manifests, subject] : manifests, reachable, signal)
    } else if (isManifestType(mediaType)) {
      const text = await documentOf(layout, descriptor)
      if (text === undefined) continue
      const { config, layers, subject } = await parseManifest(text, `manifest ${digest}`, mediaType)
      for (const blob of [config, ...layers]) reachable.add(blob.digest)
      if (subject) await mark(layout, [subject], reachable, signal)
    }
  }
}

/** A missing blob leads nowhere: another store may have it, as a layout need not be complete. */
async function documentOf(layout: Layout, descriptor: Descriptor): Promise<Buffer | undefined> {
  try {
    return await readDocument(layout, descriptor)
  } catch (error) {
    if (error instanceof CaissonError && error.code === 'ERR_BLOB_NOT_FOUND') return undefined
    throw error
  }
}
