/** Options and results of every parse function. */
import type { SpecError, SpecIssue } from '../../errors.ts'
import type { JsonLimits } from '../json/read.ts'

/** JSON as a string or UTF-8 bytes, or an already parsed value. */
export type DocumentInput = string | Uint8Array | object

export interface ParseOptions extends JsonLimits {
  /**
   * `lenient` (the default) accepts existing documents with the same meaning: null for absent, arrays that should not
   * be empty. `strict` accepts what may be written: the mode of `caisson validate`. docs/spec.md lists every
   * difference.
   */
  mode?: 'lenient' | 'strict' | undefined
  /** config.json only: also refuse what caisson cannot run, otherwise a warning; false by default. */
  runnable?: boolean | undefined
  /** The name of the document in messages; its kind by default. */
  subject?: string | undefined
  /** The media type by which the document was referenced; one in the document must be equal. */
  mediaType?: string | undefined
}

/** The result of a `safeParse` function. */
export type ParseResult<T> =
  | {
      success: true
      /** Includes unknown properties. */
      value: T
      /** The bytes that were parsed, which the digest refers to; undefined for an object. */
      raw: Uint8Array | undefined
      /** Valid, but probably unintended. */
      warnings: SpecIssue[]
    }
  | { success: false; error: SpecError }
