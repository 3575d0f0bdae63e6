/** Compression of layers. */
import { CaissonError } from '../../errors.ts'
import type { Descriptor } from '../../spec/index.ts'
import { layerCompression, type LayerCompression } from '../media-type.ts'

export interface CompressionOptions {
  /** `auto`: that of the topmost layer of the image, or `gzip` without layers. Default `auto`. */
  compression?: LayerCompression | 'auto' | undefined
  /** gzip 1 to 9 (default 6), zstd 1 to 19 (default 3). */
  level?: number | undefined
  /** Compressing threads; default one per core. The result is the same for any number. */
  threads?: number | undefined
}

/** Highest levels. */
const MOST = { gzip: 9, zstd: 19 }

/** The output of a layer, for the native side. Throws `ERR_INVALID_OPTION`. */
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

/** Resolves `auto`. Throws `ERR_INVALID_OPTION` for an invalid level. */
export function resolveCompression(
  { compression = 'auto', level }: CompressionOptions,
  layers: readonly Descriptor[],
): LayerCompression {
  if (compression === 'none' && level !== undefined) throw invalid('level is for gzip and zstd, not for none')
  const top = layers.at(-1)
  const found = compression === 'auto' ? ((top && layerCompression(top.mediaType)) ?? 'gzip') : compression
  if (found !== 'none' && level !== undefined && level > MOST[found])
    throw invalid(`level must be between 1 and ${MOST[found]} for ${found}, not ${level}`)
  return found
}

function invalid(message: string): CaissonError {
  return new CaissonError('ERR_INVALID_OPTION', message, { phase: 'validate' })
}
