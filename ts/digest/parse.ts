/** Parses a digest with go-digest's order of checks: form, algorithm, length, characters. */
import { findAlgorithm, requireAlgorithm, shown } from './algorithm.ts'
import { DigestError, type DigestErrorKind } from './digest-error.ts'
import { DIGEST_REGEXP_ANCHORED, type Digest } from './grammar.ts'

/** The result of {@link safeParseDigest}. */
export type SafeDigest<A extends string = string> =
  { success: true; data: Digest<A> } | { success: false; error: DigestError }

/**
 * Why a string is not a digest, or null if it is one.
 *
 * - `invalid-format`: not `algorithm:encoded`, or characters that the algorithm does not allow (capitals, for
 *   instance);
 * - `unsupported`: the grammar is valid, the algorithm is not available here;
 * - `invalid-length`: not the length of the algorithm's hashes.
 */
export function validateDigest(text: unknown): DigestErrorKind | null {
  if (typeof text !== 'string') return 'invalid-format'
  const colon = text.indexOf(':')
  if (colon < 0 || colon + 1 === text.length) return 'invalid-format'
  const algorithm = findAlgorithm(text.slice(0, colon))
  if (!algorithm) return DIGEST_REGEXP_ANCHORED.test(text) ? 'unsupported' : 'invalid-format'
  if (text.length - colon - 1 !== algorithm.size * 2) return 'invalid-length'
  return algorithm.encoded.test(text.slice(colon + 1)) ? null : 'invalid-format'
}

/** Whether a value is a digest of an available algorithm. */
export function isDigest(value: unknown): value is Digest {
  return validateDigest(value) === null
}

/**
 * Parses a digest. Throws {@link DigestError}.
 *
 * @example
 * ```ts
 * const digest = parseDigest('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
 * algorithmOf(digest) // 'sha256'
 * ```
 */
export function parseDigest<A extends string = string>(text: `${A}:${string}` | (string & {})): Digest<A> {
  const kind = validateDigest(text)
  if (kind === null) return text as Digest<A>
  throw digestError(kind, text)
}

/** Like {@link parseDigest}, with the error as a value. */
export function safeParseDigest(text: unknown): SafeDigest {
  const kind = validateDigest(text)
  if (kind === null) return { success: true, data: text as Digest }
  return { success: false, error: digestError(kind, text) }
}

function digestError(kind: DigestErrorKind, value: unknown): DigestError {
  const text = typeof value === 'string' ? value : shown(value)
  const name = text.slice(0, Math.max(text.indexOf(':'), 0))
  const length = (findAlgorithm(name)?.size ?? 0) * 2
  const reason = {
    'invalid-format':
      length > 0 && text.length === name.length + 1 + length
        ? `${name} is written in ${length} of the characters 0-9 a-f`
        : 'a digest is algorithm:encoded, for example sha256:9f86…',
    'invalid-length': `${name} has ${length} characters after the colon, not ${text.length - name.length - 1}`,
    unsupported: `algorithm ${name} is not available`,
  }[kind]
  return new DigestError(kind, text, `${shown(value)} is not a valid digest: ${reason}`)
}

/** The part before the first colon, such as `sha256`. Throws {@link DigestError} `invalid-format` without a colon. */
export function algorithmOf<A extends string>(digest: Digest<A>): A
export function algorithmOf(digest: string): string
export function algorithmOf(digest: string): string {
  return digest.slice(0, colonOf(digest))
}

/** The part after the first colon. Throws {@link DigestError} `invalid-format` without a colon. */
export function encodedOf(digest: string): string {
  return digest.slice(colonOf(digest) + 1)
}

function colonOf(digest: string): number {
  const colon = digest.indexOf(':')
  if (colon > 0) return colon
  throw digestError('invalid-format', digest)
}

/** `algorithm:encoded`, validated. Throws {@link DigestError}. */
export function digestFromEncoded<A extends string>(algorithm: A, encoded: string): Digest<A> {
  return parseDigest<A>(`${algorithm}:${encoded}`)
}

/** The digest of a hash computed elsewhere. Throws {@link DigestError}. */
export function digestFromHashBytes<A extends string>(algorithm: A, hash: Uint8Array): Digest<A> {
  requireAlgorithm(algorithm)
  return parseDigest<A>(
    `${algorithm}:${Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString('hex')}`,
  )
}
