/** Garbage collection of a layout: removes blobs that are not reachable from index.json. */
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
  /** Only list what would be removed. */
  dryRun?: boolean | undefined
  signal?: AbortSignal | undefined
}

export interface Collected {
  /** Digests of removed blobs, sorted; `ALGORITHM:NAME` for unfinished files. */
  removed: string[]
  /** Size of the removed blobs. */
  bytes: number
  /** Number of blobs that were kept. */
  kept: number
}

/** Throws if a referenced document cannot be read: its references are unknown then. */
export async function collectGarbage(layout: Layout, options: CollectGarbageOptions): Promise<Collected> {
  const { dryRun = false, signal } = options
  using directory = await OpenLayout.open(layout.path)
  // Exclusive: no writer is about to tag an unreferenced blob.
  using _ = await lockDirectory(join(directory.path, 'blobs'), 'exclusive', signal)
  const reachable = new Set<string>()
  await mark(layout, (await layout.index()).manifests, reachable, signal)
  return await directory.collect(reachable, { dryRun, signal })
}

/** Follows indexes and manifests; anything else is a blob without references, whatever its content. */
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

/** A missing blob has no references: a layout may be incomplete, as another store may have the blob. */
async function documentOf(layout: Layout, descriptor: Descriptor): Promise<Buffer | undefined> {
  try {
    return await readDocument(layout, descriptor)
  } catch (error) {
    if (error instanceof CaissonError && error.code === 'ERR_BLOB_NOT_FOUND') return undefined
    throw error
  }
}
