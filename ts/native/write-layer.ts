/** Writing layers, and reading images without unpacking them: native operations on their own threads. */
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { CallSite } from '../boundary.ts'
import { addon } from './addon.ts'
import type {
  CompareRequest,
  FlattenRequest,
  LayerBlob,
  LayerOutput,
  PathChange,
  TreeOptions,
  WriteLayerRequest,
  WriteOutcome,
} from './binding.d.ts'
import { closeDescriptor } from './descriptor.ts'
import { perform, type LayerOperation } from './layer.ts'

export type { LayerBase, LayerOutput, LayerStep, PathChange, TreeOptions } from './binding.d.ts'

export type Written = Omit<WriteOutcome, 'failure'>

/** Writes one layer. Without `digest` in the result there was nothing to write, and no file exists. */
export function writeLayer(request: WriteLayerRequest, operation: LayerOperation = {}): Promise<Written> {
  return perform(operation, (job) => job.write(request))
}

/** Writes a layer again in another compression; its archive is validated. */
export function transcodeLayer(
  layer: LayerBlob,
  to: LayerOutput,
  operation: LayerOperation = {},
): Promise<Written> {
  return perform(operation, (job) => job.transcode(layer, to))
}

/** Writes the merged root file system of layers as one layer. */
export function flattenLayers(
  request: FlattenRequest,
  to: LayerOutput,
  operation: LayerOperation = {},
): Promise<Written> {
  return perform(operation, (job) => job.mergeLayers(request, to))
}

/** The changes from one root file system to another, by path. */
export async function compareTrees(
  request: CompareRequest,
  operation: LayerOperation = {},
): Promise<PathChange[]> {
  return (await perform(operation, (job) => job.compare(request))).changes
}

/** Writes a manifest of a directory to a new file, and returns the number of entries. */
export async function writeManifest(
  source: string,
  to: string,
  options: TreeOptions = {},
  operation: LayerOperation = {},
): Promise<number> {
  return (await perform(operation, (job) => job.snapshot(source, to, options))).entries
}

/** Packs a directory as a plain layer to a descriptor, which stays open. */
export function packTo(
  fd: number,
  source: string,
  options: TreeOptions,
  operation: LayerOperation = {},
): Promise<Written> {
  return perform(operation, (job) => job.pack(source, options, fd))
}

/** Writes the root file system as an archive to a descriptor, which stays open. */
export async function exportTo(
  fd: number,
  request: FlattenRequest,
  operation: LayerOperation = {},
): Promise<void> {
  await perform(operation, (job) => job.export(request, fd))
}

/** Writes the content of one file to a descriptor, which stays open. */
export async function pickTo(
  fd: number,
  layers: LayerBlob[],
  path: string,
  operation: LayerOperation = {},
): Promise<void> {
  await perform(operation, (job) => job.pick(layers, path, fd))
}

/**
 * A stream of what `work` writes to its descriptor. It fails with the error of `work`, and aborts the work when it is
 * destroyed.
 */
export function streamOf(
  work: (fd: number, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): Readable {
  signal?.throwIfAborted()
  const site = new CallSite(streamOf)
  const { read, write } = addon().openPipe()
  const stop = new AbortController()
  const stream = new Socket({ fd: read, readable: true, writable: false, allowHalfOpen: true })
  const abort = (): void => {
    stream.destroy(signal?.reason as Error)
  }
  signal?.addEventListener('abort', abort, { once: true })
  stream.once('close', () => {
    signal?.removeEventListener('abort', abort)
    stop.abort(new Error('the stream was closed'))
  })
  // The end is announced only after success: until then our own end of the pipe keeps the reader waiting.
  work(write, stop.signal).then(
    () => closeDescriptor(write),
    (error: Error) => {
      stream.destroy(site.explain(error) as Error)
      closeDescriptor(write)
    },
  )
  return stream
}
