/** Errors of digests, and of content that does not match its digest. */
import { CaissonError, type ErrorDetails } from '../errors.ts'

/** The three ways in which a digest is invalid, named as in go-digest. */
export type DigestErrorKind = 'invalid-format' | 'invalid-length' | 'unsupported'

/**
 * A string is not a usable digest. `code` is `ERR_INVALID_DIGEST`, or `ERR_UNSUPPORTED_DIGEST` if the grammar is valid
 * and the algorithm unknown: code that only stores or copies may accept that.
 */
export class DigestError extends CaissonError {
  readonly kind: DigestErrorKind
  /** The given value as a string. */
  readonly digest: string

  constructor(kind: DigestErrorKind, digest: string, message: string, details: ErrorDetails = {}) {
    super(kind === 'unsupported' ? 'ERR_UNSUPPORTED_DIGEST' : 'ERR_INVALID_DIGEST', message, details)
    this.kind = kind
    this.digest = digest
  }
}

/** Content has another digest (`ERR_DIGEST_MISMATCH`) or size (`ERR_SIZE_MISMATCH`) than expected. */
export class MismatchError extends CaissonError {
  /** A digest, or a size in bytes. */
  readonly expected: string | number
  /** The same of the content; for content that is too long, the bytes seen so far. */
  readonly actual: string | number

  constructor(
    code: 'ERR_DIGEST_MISMATCH' | 'ERR_SIZE_MISMATCH',
    message: string,
    expected: string | number,
    actual: string | number,
  ) {
    super(code, message)
    this.expected = expected
    this.actual = actual
  }
}
for (const [type, name] of [
  [DigestError, 'DigestError'],
  [MismatchError, 'MismatchError'],
] as const)
  Object.defineProperty(type.prototype, 'name', { value: name, configurable: true, writable: true })
