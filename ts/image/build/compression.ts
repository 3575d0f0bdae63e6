/** How layers are compressed. */
import { CaissonError } from '../../errors.ts'
import type { Descriptor } from '../../spec/index.ts'
import { layerCompression, type LayerCompression } from '../media-type.ts'

export interface CompressionOptions {
  /** `auto`: as the topmost layer of the image, `gzip` where there is none. Default `auto`. */
  compression?: LayerCompression | 'auto' | undefined
  /** gzip 1 to 9 (default 6), zstd 1 to 19 (default 3). */
  level?: number | undefined
  /** Threads that compress; default one per core. The result is the same for any number. */
  threads?: number | undefined
}

/** Where a blob goes, for the native side. Throws `ERR_INVALID_OPTION`. */
export function layerOutput(
  path: string,
  compression: LayerCompression,
  { level, threads }: CompressionOptions,
): { path: string; compression: LayerCompression; level?: number; threads?: number } {
  return {
    path,
    compression,
    ...(level === undefined || compression === 'none' ? {} : { level }),
    ...(threads === undefined ? {} : { threads }),
  }
}

export function resolveCompression(
  { compression = 'auto', level, threads }: CompressionOptions,
  layers: readonly Descriptor[],
): LayerCompression {
  for (const [name, value] of Object.entries({ level, threads })) {
    if (value !== undefined && !(Number.isInteger(value) && value > 0))
      throw invalid(`${name} must be a whole number above 0, not ${value}`)
  }
  if (compression === 'none' && level !== undefined) throw invalid('level is for gzip and zstd, not for none')
  if (compression === 'auto') {
    const top = layers.at(-1)
    return (top && layerCompression(top.mediaType)) ?? 'gzip'
  }
  if (['none', 'gzip', 'zstd'].includes(compression)) return compression
  throw invalid(`compression must be auto, gzip, zstd or none, not ${JSON.stringify(compression)}`)
}

function invalid(message: string): CaissonError {
  return new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate' })
}
