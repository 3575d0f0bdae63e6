/** The source bytes of a document. Its digest refers to these, never to JSON that was serialised again. */

const sources = new WeakMap<object, string | Uint8Array>()

export function keepRaw(value: object, input: string | Uint8Array): void {
  sources.set(value, input)
}

/**
 * The bytes that a parse function read `value` from, even after `value` was changed; undefined for any other value.
 *
 * @example
 * ```ts
 * const manifest = parseImageManifest(bytes)
 * rawOf(manifest) // the same bytes, whatever their spaces and unknown properties
 * ```
 */
export function rawOf(value: object): Uint8Array | undefined {
  const source = sources.get(value)
  return typeof source === 'string' ? Buffer.from(source) : source
}
