/** Archives that hold images, each operation on a native thread of its own; an AbortSignal stops it. */
import type { ArchiveItem, ArchiveMember, BlobIdentity, BlobRange } from './binding.d.ts'
import { perform, type LayerOperation } from './layer.ts'

export type { ArchiveItem, ArchiveMember, BlobIdentity, BlobRange } from './binding.d.ts'

/** The files and links of a tar archive; undefined for a compressed one, which must be unpacked first. */
export async function listArchive(
  path: string,
  maxEntries: number,
  operation: LayerOperation = {},
): Promise<ArchiveItem[] | undefined> {
  const { compressed, items } = await perform(operation, (job) => job.listArchive(path, maxEntries))
  return compressed ? undefined : items
}

/** Decompresses the file `from` into the file `to`, which exists. */
export async function unpackArchive(from: string, to: string, operation: LayerOperation = {}): Promise<void> {
  await perform(operation, async (job) => {
    const failure = await job.unpackArchive(from, to)
    return failure ? { failure } : {}
  })
}

/** Writes a new archive: the same bytes for the same members, on the disk when this returns, or not there at all. */
export async function writeArchive(
  members: ArchiveMember[],
  output: string,
  operation: LayerOperation = {},
): Promise<void> {
  await perform(operation, async (job) => {
    const failure = await job.writeArchive(members, output)
    return failure ? { failure } : {}
  })
}

/** Reads a blob to its end, decompresses it on the way, and says what it is. */
export async function identifyBlob(
  range: BlobRange,
  operation: LayerOperation = {},
): Promise<Omit<BlobIdentity, 'failure'>> {
  return perform(operation, (job) => job.identify(range))
}
