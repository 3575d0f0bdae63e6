/** Archives that hold images. Each operation runs on its own native thread and can be aborted. */
import type { ArchiveItem, ArchiveMember, BlobIdentity, BlobRange } from './binding.d.ts'
import { perform, type LayerOperation } from './layer.ts'

export type { ArchiveItem, ArchiveMember, BlobIdentity, BlobRange } from './binding.d.ts'

/** The files and links of a tar archive; undefined for a compressed one, which must be decompressed first. */
export async function listArchive(
  path: string,
  maxEntries: number,
  operation: LayerOperation = {},
): Promise<ArchiveItem[] | undefined> {
  const { compressed, items } = await perform(operation, (job) => job.listArchive(path, maxEntries))
  return compressed ? undefined : items
}

/** Decompresses the file `from` to the existing file `to`. */
export async function unpackArchive(from: string, to: string, operation: LayerOperation = {}): Promise<void> {
  await perform(operation, async (job) => {
    const failure = await job.unpackArchive(from, to)
    return failure ? { failure } : {}
  })
}

/**
 * Writes an archive that appears when it is complete, the same bytes for the same members. Throws `ERR_EXISTS` for an
 * existing file that is not to be replaced.
 */
export async function writeArchive(
  members: ArchiveMember[],
  output: string,
  replace: boolean,
  operation: LayerOperation = {},
): Promise<void> {
  await perform(operation, async (job) => {
    const failure = await job.writeArchive(members, output, replace)
    return failure ? { failure } : {}
  })
}

/** Writes a small file atomically. Throws `ERR_EXISTS` like {@link writeArchive}. */
export async function placeFile(
  path: string,
  content: Uint8Array,
  { mode, replace }: { mode: number; replace: boolean },
): Promise<void> {
  await perform({}, async (job) => {
    const failure = await job.placeFile(path, content, mode, replace)
    return failure ? { failure } : {}
  })
}

/** Reads a blob to its end, decompressing it, and returns its digests and compression. */
export async function identifyBlob(
  range: BlobRange,
  operation: LayerOperation = {},
): Promise<Omit<BlobIdentity, 'failure'>> {
  return perform(operation, (job) => job.identify(range))
}
