/** The text form of a digest: `algorithm ":" encoded`, image-spec descriptor.md, section "Digests". */

declare const digestBrand: unique symbol

/**
 * A digest as text, `sha256:9f86…`: a string that was checked. It prints, compares and serialises as it is.
 * {@link parseDigest} and {@link isDigest} make one of any string.
 */
export type Digest<A extends string = string> = `${A}:${string}` & { readonly [digestBrand]: true }

/** One digest for one algorithm; for a list of algorithms the digests in the same order. */
export type DigestsOf<A extends string | readonly string[]> = A extends string
  ? Digest<A>
  : { -readonly [K in keyof A]: Digest<A[K] & string> }

/**
 * Finds a digest inside a text. It knows the grammar, not the algorithms: `foo:bar` matches. Searching takes time that
 * grows with the square of the longest run of small letters and digits: give it lines, not files of strangers.
 */
export const DIGEST_REGEXP: RegExp = /[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+/

/** The same for a whole string; takes linear time. */
export const DIGEST_REGEXP_ANCHORED: RegExp = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/

/** The part before the colon. */
export const ALGORITHM_REGEXP_ANCHORED: RegExp = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*$/
