/** Merges layers. */
import { flattenLayers } from '../../native/write-layer.ts'
import type { Descriptor } from '../../spec/index.ts'
import { copyLayers, type WriteOptions } from '../build/build.ts'
import { layerOutput, resolveCompression } from '../build/compression.ts'
import type { HistoryOptions } from '../build/content.ts'
import { addHistory, checkHistory, draftOf, finishDraft } from '../build/draft.ts'
import { sourceDateEpoch, timestamp } from '../build/epoch.ts'
import { layerBlobs, type ImageParts } from '../layer-blobs.ts'
import { Layout } from '../layout.ts'
import { writeNewBlob } from '../layout/new-blob.ts'
import { layerType } from '../media-type.ts'
import { CaissonError } from '../../errors.ts'
import { checkTag } from '../reference.ts'

export interface SquashOptions extends WriteOptions {
  /** Number of bottom layers that are kept unchanged; default 0. */
  keep?: number | undefined
  history?: HistoryOptions | false | undefined
  createdBy?: string | undefined
}

/** Merges all layers above the kept ones: the result contains nothing that an upper layer hides. */
export async function squashImage(image: ImageParts, options: SquashOptions): Promise<Descriptor> {
  const { keep = 0, tag, signal, onProgress, history, createdBy = 'caisson squash' } = options
  const epoch = sourceDateEpoch(options.sourceDateEpoch)
  checkTag(tag)
  checkHistory(history)
  const draft = draftOf(image)
  const { layers } = draft.manifest
  if (!Number.isInteger(keep) || keep < 0 || keep > layers.length) {
    const message = `keep must be between 0 and ${layers.length}, the number of layers, not ${keep}`
    throw new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate' })
  }
  const compression = resolveCompression(options, layers)
  const layout = typeof options.layout === 'string' ? await Layout.create(options.layout) : options.layout
  using _ = await layout.protect(signal)
  const kept = { ...draft.manifest, layers: layers.slice(0, keep) }
  await copyLayers({ ...partsOf(image), manifest: kept }, layout, signal)
  const blobs = await layerBlobs(image)
  const { digest, diffId, size } = await writeNewBlob(layout, (path) =>
    flattenLayers(
      { layers: blobs, keep, ...(epoch === undefined ? {} : { epoch }) },
      layerOutput(path, compression, options),
      { signal, onProgress, limits: image.limits },
    ),
  )
  draft.manifest.layers = [...kept.layers, { mediaType: layerType(compression), digest: digest!, size }]
  draft.config.rootfs.diff_ids = [...draft.config.rootfs.diff_ids.slice(0, keep), diffId!]
  draft.config.history = historyOf(draft.config.history ?? [], keep)
  draft.config.created = timestamp(epoch)
  addHistory(draft, history, { createdBy, epoch })
  return finishDraft(layout, draft, tag)
}

function partsOf({ source, digest, manifest, config }: ImageParts): ImageParts {
  return { source, digest, manifest, config }
}

/** The history up to the last kept layer. */
export function historyOf<T extends { empty_layer?: boolean }>(history: readonly T[], layers: number): T[] {
  let count = 0
  const kept: T[] = []
  for (const entry of history) {
    if (!entry.empty_layer) count += 1
    if (count > layers) break
    kept.push(entry)
  }
  // Empty entries after the last kept layer belong to a later layer.
  while (layers === 0 && kept.length > 0) kept.pop()
  return kept
}
