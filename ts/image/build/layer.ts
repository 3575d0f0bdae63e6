/** One layer: written to the layout, described, and added to the draft. */
import { join } from 'node:path'
import { CaissonError } from '../../errors.ts'
import type { LayerBlob, LayerOperation } from '../../native/layer.ts'
import {
  transcodeLayer,
  writeLayer,
  type LayerBase,
  type LayerStep,
  type PathChange,
  type Written,
} from '../../native/write-layer.ts'
import type { Descriptor } from '../../spec/index.ts'
import { hostPath } from '../host-path.ts'
import type { ImageParts } from '../layer-blobs.ts'
import { layerBlobs } from '../layer-blobs.ts'
import type { Layout } from '../layout.ts'
import { withSpool, writeNewBlob } from '../layout/new-blob.ts'
import { layerType, type LayerCompression } from '../media-type.ts'
import { copyAndDigest, detectCompression } from './archive.ts'
import { layerOutput, resolveCompression, type CompressionOptions } from './compression.ts'
import type { ArchiveLayer, DifferenceLayer, LayerOptions } from './content.ts'
import { addHistory, type Draft } from './draft.ts'
import { layerSteps, spoolName, treeOptions } from './steps.ts'

export interface LayerContext extends CompressionOptions {
  layout: Layout
  draft: Draft
  epoch: number | undefined
  operation: LayerOperation
  /** `created_by` unless the layer's options have one. */
  createdBy: string
}

/** The result for one entry of `layers`. */
export interface LayerResult {
  /** Undefined if nothing changed: no layer was written. */
  descriptor: Descriptor | undefined
  diffId: string | undefined
  /** The changes of a difference layer, by path. */
  changes: PathChange[]
  /** What was left out, such as sockets. */
  warnings: string[]
}

/** Adds the layer of `options` to the draft. */
export async function addLayer(options: LayerOptions, context: LayerContext): Promise<LayerResult> {
  const { layout, draft } = context
  const wanted = resolveCompression(context, draft.manifest.layers)
  const verbatim = 'archive' in options && options.verbatim === true
  const compression = verbatim ? await detectCompression(options.archive) : wanted
  const written = await writeNewBlob(layout, (path) =>
    'archive' in options
      ? archiveLayer(options, path, compression, context)
      : writtenLayer(options, path, compression, context),
  )
  const { digest, diffId, size, changes, warnings } = written
  if (digest === undefined || diffId === undefined) {
    return { descriptor: undefined, diffId: undefined, changes, warnings }
  }
  const descriptor: Descriptor = {
    mediaType: layerType(compression),
    digest,
    size,
    ...(options.annotations ? { annotations: { ...options.annotations } } : {}),
  }
  draft.manifest.layers.push(descriptor)
  draft.config.rootfs.diff_ids.push(diffId)
  addHistory(draft, options.history, { createdBy: context.createdBy, epoch: context.epoch })
  return { descriptor, diffId, changes, warnings }
}

/** Reads the archive to its end in any case: its diffID is not known before. */
async function archiveLayer(
  { archive, verbatim }: ArchiveLayer,
  temporary: string,
  compression: LayerCompression,
  context: LayerContext,
): Promise<Written> {
  const path = hostPath(archive, 'archive')
  const output = layerOutput(temporary, compression, context)
  const written = await transcodeLayer(
    { path },
    verbatim ? { ...output, compression: 'none' } : output,
    context.operation,
  )
  if (!verbatim || compression === 'none') return written
  // Verbatim: the transcoded file only served to validate and hash the content, and is overwritten.
  return { ...written, ...(await copyAndDigest(path, temporary, context.operation.signal)) }
}

async function writtenLayer(
  options: Exclude<LayerOptions, ArchiveLayer>,
  temporary: string,
  compression: LayerCompression,
  context: LayerContext,
): Promise<Written> {
  const { layout, epoch, operation, draft } = context
  const writeSteps = (steps: LayerStep[]): Promise<Written> =>
    writeLayer(
      {
        steps,
        output: layerOutput(temporary, compression, context),
        parents: draft.manifest.layers.length === 0,
        ...(epoch === undefined ? {} : { epoch }),
      },
      operation,
    )
  if ('entries' in options) {
    return withSpool(layout, async (folder) => {
      const spoolPath = (): string => join(folder, spoolName())
      return writeSteps(await layerSteps(options.entries, { epoch, spoolPath, signal: operation.signal }))
    })
  }
  const { uid, gid } = options
  const common = { path: '', tree: treeOptions(options), ...owner(uid, gid) }
  if ('upper' in options) {
    const base = draft.manifest.layers.length > 0 ? { base: { layers: await layersSoFar(context) } } : {}
    return writeSteps([{ ...common, kind: 'upper', source: hostPath(options.upper, 'upper'), ...base }])
  }
  const base = await baseOf(options, context)
  return writeSteps([
    { ...common, kind: 'difference', source: hostPath(options.directory, 'directory'), base },
  ])
}

function owner(uid: number | undefined, gid: number | undefined): { uid?: number; gid?: number } {
  return { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) }
}

/** Throws `ERR_INVALID_OPTION`. */
export function checkBefore(options: LayerOptions): void {
  if (!('directory' in options) || !options.keepDirlinks || (options.before ?? 'image') === 'image') return
  throw new CaissonError('ERR_INVALID_OPTION', 'keepDirlinks is for a difference from the layers so far', {
    phase: 'validate',
  })
}

async function baseOf(
  { before = 'image', keepDirlinks = false }: DifferenceLayer,
  context: LayerContext,
): Promise<LayerBase> {
  if (before === 'image') return { layers: await layersSoFar(context), keepDirlinks }
  if ('manifest' in before) return { manifest: hostPath(before.manifest, 'before.manifest') }
  return { directory: hostPath(before.directory, 'before.directory') }
}

function layersSoFar({ layout, draft: { manifest, config } }: LayerContext): Promise<LayerBlob[]> {
  const soFar: ImageParts = { source: layout, digest: 'the image', manifest, config }
  return layerBlobs(soFar)
}
