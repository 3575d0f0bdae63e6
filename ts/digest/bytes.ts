/** Types accepted as bytes. */

/** Bytes in any of JavaScript's types. */
export type Bytes = ArrayBufferView | ArrayBufferLike

/** The same bytes without a copy. Throws `TypeError` for anything else. */
export function asUint8Array(data: Bytes): Uint8Array {
  if (data instanceof Uint8Array) return data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const tag = Object.prototype.toString.call(data)
  if (tag === '[object ArrayBuffer]' || tag === '[object SharedArrayBuffer]') return new Uint8Array(data)
  throw new TypeError(`bytes are a Uint8Array, another view, or an ArrayBuffer, not ${tag}`)
}
