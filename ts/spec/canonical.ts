/** How documents are written that are authored here: the same content gives the same bytes, and so the same digest. */
import { formatJson } from './json/format.ts'
import { JsonNumber } from './json/number.ts'

/**
 * A document as bytes to be hashed and stored: no white space, names in the order of their code units, nothing that is
 * undefined. For documents that were read use `rawOf`: writing them again would change their digest.
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
