/** What was validated, and the problems. */
import type { SpecIssue } from '../../errors.ts'
import { locate } from '../../spec/json/locate.ts'
import { show } from '../../spec/show.ts'
import type { DocumentInput, ParseOptions, ParseResult } from '../../spec/index.ts'

/** One document or file. */
export interface ValidatedDocument {
  /** Path relative to what was validated; `index.json`, `blobs/sha256/…`. */
  file: string
  /** `image manifest`, `config.json`, `layer`, …. */
  kind: string
  errors: SpecIssue[]
  warnings: SpecIssue[]
}

export interface ValidationReport {
  /** The given path. */
  path: string
  kind: 'bundle' | 'layout' | 'oci-archive' | 'docker-archive' | 'document'
  /** Whether there are no errors; warnings do not count. */
  valid: boolean
  /** In order of discovery, including those without problems. */
  documents: ValidatedDocument[]
}

/** The specification only recommends a layer; its schema, and so the strict mode, requires one. */
function isAdvice({ path, found }: SpecIssue): boolean {
  return path === 'layers' && found === show([])
}

/** Collects documents. */
export class Findings {
  readonly documents: ValidatedDocument[] = []
  readonly mode: 'lenient' | 'strict'

  constructor(mode: 'lenient' | 'strict') {
    this.mode = mode
  }

  add(file: string, kind: string): ValidatedDocument {
    const document: ValidatedDocument = { file, kind, errors: [], warnings: [] }
    this.documents.push(document)
    return document
  }

  /** Parses a document and records the problems; undefined if it has errors. */
  parse<T>(
    file: string,
    kind: string,
    safeParse: (input: DocumentInput, options?: ParseOptions) => ParseResult<T>,
    bytes: Uint8Array,
    options: ParseOptions = {},
  ): T | undefined {
    const document = this.add(file, kind)
    const result = safeParse(bytes, { mode: this.mode, ...options })
    if (result.success) {
      document.warnings.push(...locate(Buffer.from(bytes).toString('utf8'), result.warnings))
      return result.value
    }
    const { issues } = result.error
    const errors = issues.filter((issue) => !isAdvice(issue))
    document.errors.push(...errors)
    document.warnings.push(...issues.filter(isAdvice))
    if (errors.length > 0) return undefined
    const lenient = safeParse(bytes, { ...options, mode: 'lenient' })
    return lenient.success ? lenient.value : undefined
  }

  report(path: string, kind: ValidationReport['kind']): ValidationReport {
    const valid = this.documents.every(({ errors }) => errors.length === 0)
    return { path, kind, valid, documents: this.documents }
  }
}
