/** Decodes bytes as UTF-8; invalid sequences are errors, never replaced. */
import { isUtf8 } from 'node:buffer'
import type { SpecIssue } from '../../errors.ts'
import { Lines } from './position.ts'

export interface Decoded {
  text: string
  issues: SpecIssue[]
}

/** `maxBytes` is the limit in UTF-8, for strings too. */
export function decode(input: string | Uint8Array, maxBytes: number): Decoded {
  const size = typeof input === 'string' ? sizeOf(input, maxBytes) : input.byteLength
  if (size > maxBytes) {
    const message = `has ${size} bytes; at most ${maxBytes} are read`
    return { text: '', issues: [{ path: '', message, kind: 'json' }] }
  }
  if (typeof input === 'string') return { text: input, issues: [] }
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength)
  if (isUtf8(bytes)) return { text: bytes.toString('utf8'), issues: [] }
  const offset = invalidAt(bytes)
  const before = bytes.toString('utf8', 0, offset)
  const position = new Lines(before).positionOf(before.length)
  const byte = bytes[offset]?.toString(16).padStart(2, '0')
  const message = `is not valid UTF-8: byte 0x${byte} at offset ${offset}`
  return { text: '', issues: [{ path: '', message, kind: 'json', ...position }] }
}

/** Exact only if it can matter: a UTF-16 unit is one to three bytes. */
function sizeOf(text: string, maxBytes: number): number {
  if (text.length > maxBytes || text.length * 3 <= maxBytes) return text.length
  return Buffer.byteLength(text)
}

/** Offset of the first byte of an invalid sequence. */
function invalidAt(bytes: Buffer): number {
  let at = 0
  for (;;) {
    const first = bytes[at] ?? 0xff
    const size =
      first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
    if (size === 0 || (size > 1 && !isUtf8(bytes.subarray(at, at + size)))) return at
    at += size
  }
}
