/** The differences between two images. */
import { compareTrees, type PathChange } from '../../native/write-layer.ts'
import type { Descriptor } from '../../spec/index.ts'
import { layerBlobs, type ImageParts } from '../layer-blobs.ts'

/** One value of a document; undefined if one of them lacks it. */
export interface ValueDifference {
  /** `config.Env[0]`. */
  path: string
  left: unknown
  right: unknown
}

export interface LayerDifference {
  /** Index from the bottom. */
  index: number
  left: LayerSummary | undefined
  right: LayerSummary | undefined
  /** Same diffID: only the compression differs. */
  sameContent: boolean
}

export interface LayerSummary {
  digest: string
  diffId: string | undefined
  mediaType: string
  size: number
}

export interface ImageDifference {
  /** The manifest digests are equal; everything else is empty then. */
  identical: boolean
  left: string
  right: string
  manifest: ValueDifference[]
  config: ValueDifference[]
  layers: LayerDifference[]
  /**
   * The changes from one root file system to the other; undefined if not requested, or if both are the same.
   */
  files: PathChange[] | undefined
}

export interface DiffOptions {
  /** Compare the root file systems file by file; default true. All layers are read and verified. */
  files?: boolean | undefined
  signal?: AbortSignal | undefined
}

/** Both are read within the limits of the left one. */
export async function diffImages(
  left: ImageParts,
  right: ImageParts,
  options: DiffOptions = {},
): Promise<ImageDifference> {
  const { files = true, signal } = options
  const identical = left.digest === right.digest
  const layers = identical ? [] : layerDifferences(left, right)
  const sameContent = layers.every((layer) => layer.sameContent)
  const wanted = !identical && files && !sameContent && left.config && right.config
  return {
    identical,
    left: left.digest,
    right: right.digest,
    manifest: identical ? [] : values(rest(left.manifest), rest(right.manifest)),
    config: identical ? [] : values(withoutLayers(left.config), withoutLayers(right.config)),
    layers,
    files: wanted
      ? await compareTrees(
          { before: { layers: await layerBlobs(left) }, after: { layers: await layerBlobs(right) } },
          { signal, limits: left.limits },
        )
      : undefined,
  }
}

/** Layers and configuration are compared elsewhere. */
function rest(manifest: object): object {
  const { layers: _, config: __, ...more } = manifest as { layers: unknown; config: unknown }
  return more
}

function withoutLayers(config: object | undefined): object {
  const { rootfs: _, ...more } = (config ?? {}) as { rootfs?: unknown }
  return more
}

function layerDifferences(left: ImageParts, right: ImageParts): LayerDifference[] {
  const count = Math.max(left.manifest.layers.length, right.manifest.layers.length)
  const differences: LayerDifference[] = []
  for (let index = 0; index < count; index++) {
    const [a, b] = [left, right].map(({ manifest, config }) =>
      summary(manifest.layers[index], config?.rootfs.diff_ids[index]),
    )
    if (a?.digest === b?.digest && a?.mediaType === b?.mediaType) continue
    const sameContent = a !== undefined && b !== undefined && a.diffId !== undefined && a.diffId === b.diffId
    differences.push({ index, left: a, right: b, sameContent })
  }
  return differences
}

function summary(layer: Descriptor | undefined, diffId: string | undefined): LayerSummary | undefined {
  return layer && { digest: layer.digest, diffId, mediaType: layer.mediaType, size: layer.size }
}

/** Depth first, in the order of the left document, then what only the right one has. */
export function values(left: unknown, right: unknown, path = ''): ValueDifference[] {
  if (Object.is(left, right)) return []
  if (!isContainer(left) || !isContainer(right) || Array.isArray(left) !== Array.isArray(right)) {
    return [{ path, left, right }]
  }
  const names = new Set([...Object.keys(left), ...Object.keys(right)])
  const step = (name: string): string =>
    Array.isArray(left) ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`
  const [a, b] = [left as Record<string, unknown>, right as Record<string, unknown>]
  return [...names].flatMap((name) => values(a[name], b[name], step(name)))
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
