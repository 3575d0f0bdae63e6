/** The native side of the store: importing layers and maintaining snapshots. */
import { addon } from './addon.ts'
import type { IdMaps, ImportRequest, UnpackOutcome } from './binding.d.ts'
import { errorFrom } from './failure.ts'
import { perform, type LayerOperation } from './layer.ts'

/** The result for each layer: null if its snapshot already existed. */
export async function importLayers(
  request: ImportRequest,
  operation: LayerOperation = {},
): Promise<(UnpackOutcome | null)[]> {
  const { layers } = await perform(operation, (job) => job.import(request))
  return layers.map((layer) => layer ?? null)
}

export interface SnapshotCheck {
  health: 'sound' | 'missing' | 'damaged'
  /** What is wrong with a damaged snapshot. */
  reason: string | undefined
}

/** Compares a snapshot with its record; with `contents` file contents, too. */
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
 * Copies a stack of layers merged to `target`, which appears complete or not at all. `idMaps` maps the owners of the
 * files.
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

/** Removes what dead importers have left, including files of ids in `idMaps`. */
export async function sweepIngest(store: string, idMaps?: IdMaps): Promise<void> {
  const failure = await new (addon().LayerJob)().sweepStore(store, idMaps)
  if (failure) throw errorFrom(failure)
}
