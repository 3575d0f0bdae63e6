/** What is wrong with a digest, and with content that is not what its digest says. */
import { CaissonError, type ErrorDetails } from '../errors.ts'

/** The three ways in which a digest is invalid, named as in go-digest. */
export type DigestErrorKind = 'invalid-format' | 'invalid-length' | 'unsupported'

/**
 * A string is not a digest that can be used here. `code` is `ERR_INVALID_DIGEST`, and `ERR_UNSUPPORTED_DIGEST` where the
 * grammar is right and the algorithm unknown: code that only stores or copies may accept that.
 */
export class DigestError extends CaissonError {
  readonly kind: DigestErrorKind
  /** What was given, as text. */
  readonly digest: string

  constructor(kind: DigestErrorKind, digest: string, message: string, details: ErrorDetails = {}) {
    super(kind === 'unsupported' ? 'ERR_UNSUPPORTED_DIGEST' : 'ERR_INVALID_DIGEST', message, details)
    this.kind = kind
    this.digest = digest
  }
}

/** Content has another digest (`ERR_DIGEST_MISMATCH`) or another size (`ERR_SIZE_MISMATCH`) than was expected. */
export class MismatchError extends CaissonError {
  /** A digest, or a number of bytes. */
  readonly expected: string | number
  /** As `expected`; of content that is too long, the bytes seen until then. */
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
