/** The store's native side: importing layers and looking after snapshots. */
import { addon } from './addon.ts'
import type { IdMaps, ImportRequest, UnpackOutcome } from './binding.d.ts'
import { errorFrom } from './failure.ts'
import { perform, type LayerOperation } from './layer.ts'

/** What became of each layer: null where its snapshot was there already. */
export async function importLayers(
  request: ImportRequest,
  operation: LayerOperation = {},
): Promise<(UnpackOutcome | null)[]> {
  const { layers } = await perform(operation, (job) => job.import(request))
  return layers.map((layer) => layer ?? null)
}

export interface SnapshotCheck {
  health: 'sound' | 'missing' | 'damaged'
  /** What is wrong with a damaged one. */
  reason: string | undefined
}

/** Compares a snapshot with what was recorded of it; with `contents` the bytes of its files, too. */
export async function checkSnapshot(
  store: string,
  chainId: string,
  contents: boolean,
  operation: LayerOperation = {},
): Promise<SnapshotCheck> {
  const { health, reason } = await perform(operation, (job) => job.verifySnapshot(store, chainId, contents))
  return { health: health as SnapshotCheck['health'], reason }
}

/**
 * Copies what a stack of layers shows to `target`, which appears complete or not at all. `idMaps`: whose the files are then.
 */
export async function flattenLayers(
  layers: readonly string[],
  target: string,
  operation: LayerOperation & { idMaps?: IdMaps | undefined } = {},
): Promise<void> {
  await perform(operation, async (job) => {
    const failure = await job.flatten([...layers], target, operation.idMaps)
    return failure ? { failure } : {}
  })
}

/** Removes what importers that died have left, also what belongs to ids of `idMaps`. */
export async function sweepIngest(store: string, idMaps?: IdMaps): Promise<void> {
  const failure = await new (addon().LayerJob)().sweepStore(store, idMaps)
  if (failure) throw errorFrom(failure)
}
