/** Garbage of a layout: blobs that nothing in index.json leads to. */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CaissonError } from '../../errors.ts'
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
  /** Digests of the blobs that went, in order. */
  removed: string[]
  /** Their bytes. */
  bytes: number
  /** How many blobs stay. */
  kept: number
}

/** Throws where a document that is referenced cannot be read: what it leads to is not known then. */
export async function collectGarbage(layout: Layout, options: CollectGarbageOptions): Promise<Collected> {
  const { dryRun = false, signal } = options
  const blobs = join(layout.path, 'blobs')
  // Exclusive: nobody is about to tag what is not referenced yet.
  using _ = await lockDirectory(blobs, 'exclusive', signal)
  const reachable = new Set<string>()
  await mark(layout, (await layout.index()).manifests, reachable, signal)
  const collected: Collected = { removed: [], bytes: 0, kept: 0 }
  for (const algorithm of (await readdir(blobs)).sort()) {
    const directory = join(blobs, algorithm)
    if (!(await stat(directory)).isDirectory()) continue
    if (algorithm.startsWith('.caisson-')) {
      if (!dryRun) await rm(directory, { recursive: true, force: true }) // streams that were never packed
      continue
    }
    for (const name of (await readdir(directory)).sort()) {
      signal?.throwIfAborted()
      const digest = `${algorithm}:${name}`
      const unfinished = name.startsWith('.caisson-') // left by a process that was killed
      if (!unfinished && (reachable.has(digest) || !/^[a-zA-Z0-9=_-]+$/.test(name))) {
        collected.kept += 1
        continue
      }
      const path = join(directory, name)
      collected.bytes += (await stat(path)).size
      collected.removed.push(digest)
      if (!dryRun) await rm(path, { force: true })
    }
  }
  return collected
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
