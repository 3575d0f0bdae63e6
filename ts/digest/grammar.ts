/** The string form of a digest: `algorithm ":" encoded`, image-spec descriptor.md, section "Digests". */

declare const digestBrand: unique symbol

/**
 * A validated digest, `sha256:9f86…`. At run time it is a plain string. {@link parseDigest} and {@link isDigest} narrow
 * any string to one.
 */
export type Digest<A extends string = string> = `${A}:${string}` & { readonly [digestBrand]: true }

/** One digest for one algorithm; an array of digests in the same order for a list of algorithms. */
export type DigestsOf<A extends string | readonly string[]> = A extends string
  ? Digest<A>
  : { -readonly [K in keyof A]: Digest<A[K] & string> }

/**
 * Finds a digest inside a string. It knows the grammar, not the algorithms: `foo:bar` matches. Its time grows with the
 * square of the longest run of small letters and digits: use it on lines, not on untrusted files.
 */
export const DIGEST_REGEXP: RegExp = /[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+/

/** Matches a whole string, in linear time. */
export const DIGEST_REGEXP_ANCHORED: RegExp = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/

/** The part before the colon. */
export const ALGORITHM_REGEXP_ANCHORED: RegExp = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*$/
