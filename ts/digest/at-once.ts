/** Synchronous digests of bytes in memory. */
import { requireAlgorithm } from './algorithm.ts'
import { asUint8Array, type Bytes } from './bytes.ts'
import { createDigester } from './digester.ts'
import type { Digest } from './grammar.ts'
import { oneShotHash } from './node-crypto.ts'

/**
 * The digest of bytes, synchronously: for short input. A megabyte blocks the event loop for about a millisecond; {@link
 * digestBytesAsync} is for large buffers. Throws {@link DigestError} `unsupported`.
 */
export function digestBytes<A extends string = 'sha256'>(data: Bytes, algorithm?: A): Digest<A>
export function digestBytes(data: Bytes, algorithm: string = 'sha256'): Digest {
  return digestNow(data instanceof Uint8Array ? data : asUint8Array(data), algorithm)
}

/** The digest of a string in UTF-8, synchronously. Throws {@link DigestError} `unsupported`. */
export function digestString<A extends string = 'sha256'>(text: string, algorithm?: A): Digest<A>
export function digestString(text: string, algorithm: string = 'sha256'): Digest {
  return digestNow(text, algorithm)
}

function digestNow(data: string | Uint8Array, name: string): Digest {
  const { source } = requireAlgorithm(name)
  const hash = source === 'node' ? oneShotHash() : undefined
  if (hash) return `${name}:${hash(name, data, 'hex')}` as Digest
  return createDigester(name).update(data).digest()
}
