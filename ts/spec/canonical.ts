/** Serialises new documents canonically: the same content gives the same bytes, and so the same digest. */
import { formatJson } from './json/format.ts'
import { JsonNumber } from './json/number.ts'

/**
 * A document as bytes to hash and store: no white space, keys in order of their code units, no undefined values. For
 * documents that were parsed use `rawOf`: serialising them again would change their digest.
 *
 * @example
 * ```ts
 * const bytes = encodeCanonical({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [] })
 * ```
 */
export function encodeCanonical(document: object): Uint8Array {
  return Buffer.from(formatJson(sorted(document)))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null || value instanceof JsonNumber) return value
  const names = Object.keys(value).sort()
  return Object.fromEntries(names.map((name) => [name, sorted((value as Record<string, unknown>)[name])]))
}
