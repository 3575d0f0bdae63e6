/** Builds images from options: from scratch or on top of another one. */
import type { LayerProgress } from '../../native/layer.ts'
import type { Descriptor } from '../../spec/index.ts'
import type { ImageParts } from '../layer-blobs.ts'
import { copyBlob } from '../layout/copy-blob.ts'
import type { ImageLimits } from '../limits.ts'
import { Layout } from '../layout.ts'
import type { Platform } from '../platform.ts'
import { resolveCompression, type CompressionOptions } from './compression.ts'
import type { HistoryOptions, LayerOptions } from './content.ts'
import { addHistory, checkHistory, draftOf, emptyDraft, finishDraft, type Draft } from './draft.ts'
import { sourceDateEpoch, timestamp } from './epoch.ts'
import { addLayer, checkBefore, type LayerResult } from './layer.ts'
import { mergePatch, patchConfig, type ConfigPatch } from './patch.ts'
import { checkTag } from '../reference.ts'

/** The destination of an image, and how it is written. */
export interface WriteOptions extends CompressionOptions {
  /** Layout directory, created if missing. */
  layout: string | Layout
  /** Its name in the layout. Without one the image is found by its digest only, and garbage collection removes it. */
  tag?: string | undefined
  /**
   * Seconds since 1970: the creation time of the image, and an upper limit of file times. Default: SOURCE_DATE_EPOCH.
   */
  sourceDateEpoch?: number | undefined
  signal?: AbortSignal | undefined
  /** Called about ten times a second while a layer is written; counts restart with each layer. */
  onProgress?: ((progress: LayerProgress) => void) | undefined
}

export interface ImageChanges {
  /** Bottom first, on top of the existing ones. */
  layers?: readonly LayerOptions[] | undefined
  /** Fields of the configuration: objects merge, `null` removes (RFC 7396). */
  config?: ConfigPatch | undefined
  /** Annotations of the manifest; `null` removes one. */
  annotations?: Readonly<Record<string, string | null>> | undefined
  /** The history entry for a change of the configuration only; `false` adds none. */
  history?: HistoryOptions | false | undefined
  /** `created_by` of history entries that have no other; default `caisson`. */
  createdBy?: string | undefined
}

export interface BuildOptions extends WriteOptions, ImageChanges {
  /** From scratch: the platform of the image. Default: this machine. */
  platform?: Platform | undefined
  /** Limits on what is read: archives, trees, the layers below. Default: those of the base image. */
  limits?: ImageLimits | undefined
}

export interface BuildResult {
  descriptor: Descriptor
  /** One per entry of the option `layers`. */
  layers: LayerResult[]
}

/** Writes the image. A failure leaves only unreferenced blobs, which garbage collection removes. */
export async function buildImage(from: ImageParts | undefined, options: BuildOptions): Promise<BuildResult> {
  const epoch = sourceDateEpoch(options.sourceDateEpoch)
  checkTag(options.tag)
  const { layers = [], config, history, createdBy = 'caisson', signal, onProgress } = options
  for (const each of [options, ...layers]) checkHistory(each.history)
  for (const layer of layers) checkBefore(layer)
  const draft = from ? draftOf(from) : emptyDraft(options.platform, epoch)
  resolveCompression(options, draft.manifest.layers)
  if (config) await patchConfig(draft.config, config) // everything invalid is refused before anything is written
  const layout = typeof options.layout === 'string' ? await Layout.create(options.layout) : options.layout
  using _ = await layout.protect(signal)
  if (from) await copyLayers(from, layout, signal)
  const context = {
    ...options,
    layout,
    draft,
    epoch,
    createdBy,
    operation: { signal, onProgress, limits: options.limits ?? from?.limits },
  }
  const results: LayerResult[] = []
  for (const layer of layers) results.push(await addLayer(layer, context))
  await applyChanges(draft, options)
  if (layers.length === 0 && from && config) addHistory(draft, history, { createdBy, epoch, empty: true })
  if (
    (config?.created ?? undefined) === undefined &&
    (results.some(({ descriptor }) => descriptor) || config)
  ) {
    draft.config.created = timestamp(epoch)
  }
  return { descriptor: await finishDraft(layout, draft, options.tag), layers: results }
}

async function applyChanges(draft: Draft, { config, annotations }: ImageChanges): Promise<void> {
  if (config) draft.config = await patchConfig(draft.config, config)
  if (!annotations) return
  const merged = mergePatch(draft.manifest.annotations ?? {}, annotations) as Record<string, string>
  if (Object.keys(merged).length > 0) draft.manifest.annotations = merged
  else delete draft.manifest.annotations
}

/** Copies the layers of `image` that `layout` lacks. */
export async function copyLayers(image: ImageParts, layout: Layout, signal?: AbortSignal): Promise<void> {
  const { source } = image
  if (source.transport === 'oci' && source.path === layout.path) return
  for (const layer of image.manifest.layers) await copyBlob(source, layer, layout, { signal })
}
