/** What every parse function takes and gives. */
import type { SpecError, SpecIssue } from '../../errors.ts'
import type { JsonLimits } from '../json/read.ts'

/** JSON as text or UTF-8 bytes, or what was already read from it. */
export type DocumentInput = string | Uint8Array | object

export interface ParseOptions extends JsonLimits {
  /**
   * `lenient` (the default) takes what exists and says the same: null for absent, lists that should not be empty.
   * `strict` takes what may be written: what `caisson validate` means. docs/spec.md lists every difference.
   */
  mode?: 'lenient' | 'strict' | undefined
  /** config.json only: also refuse what caisson does not run, of which warnings tell otherwise; false by default. */
  runnable?: boolean | undefined
  /** What messages call the document; its kind by default. */
  subject?: string | undefined
  /** The media type by which the document was referenced; one inside must be the same. */
  mediaType?: string | undefined
}

/** What a `safeParse` function gives. */
export type ParseResult<T> =
  | {
      success: true
      /** With unknown properties kept. */
      value: T
      /** The very bytes that were read, which is what has the digest; undefined for an object. */
      raw: Uint8Array | undefined
      /** Valid, but probably not intended. */
      warnings: SpecIssue[]
    }
  | { success: false; error: SpecError }
