/** The common steps for every document: JSON, nulls, structure, rules. */
import { MAX_ISSUES, SpecError, type SpecIssue } from '../../errors.ts'
import { Census } from '../json/census.ts'
import { locate } from '../json/locate.ts'
import { MAX_DEPTH, readJson, type Read } from '../json/read.ts'
import { Report, type Rule } from '../rule/report.ts'
import { sound } from '../rule/sound.ts'
import { differences } from '../structure/check.ts'
import { MAX_DIFFERENCES } from '../structure/zod.ts'
import type { Schema } from '../structure/leaf.ts'
import { withoutNulls } from '../structure/nulls.ts'
import type { DocumentInput, ParseOptions, ParseResult } from './options.ts'
import { keepRaw, rawOf } from './raw.ts'

/** A kind of document. */
export interface Kind<T extends object> {
  /** Its name in messages. */
  name: string
  code: 'ERR_INVALID_SPEC' | 'ERR_INVALID_IMAGE'
  schema: () => Schema<T>
  rules: readonly Rule<T>[]
  /** Arrays that a lenient reader treats as empty if they are null or absent. */
  emptyLists?: readonly (readonly string[])[]
  /** Structural differences that a lenient reader ignores. */
  tolerates?: (keys: readonly PropertyKey[], found: unknown) => boolean
}

const schemas = new WeakMap<Kind<never>, Schema>()

function schemaOf<T extends object>(kind: Kind<T>): Schema<T> {
  let schema = schemas.get(kind as unknown as Kind<never>)
  if (!schema) schemas.set(kind as unknown as Kind<never>, (schema = kind.schema()))
  return schema as Schema<T>
}

/** Throws `SpecError` with all issues. */
export function parse<T extends object>(kind: Kind<T>, input: DocumentInput, options?: ParseOptions): T {
  const result = safeParse(kind, input, options)
  if (!result.success) throw result.error
  return result.value
}

export function safeParse<T extends object>(
  kind: Kind<T>,
  input: DocumentInput,
  options: ParseOptions = {},
): ParseResult<T> {
  const isText = typeof input === 'string' || input instanceof Uint8Array
  const read = isText ? readJson(input, options) : readObject(input, options.maxDepth ?? MAX_DEPTH)
  const { value, issues, warnings } = examine(kind, read, options)
  if (issues.length > 0) {
    const subject = options.subject ?? kind.name
    return {
      success: false,
      error: new SpecError(kind.code, subject, isText ? locate(read.text, issues) : issues),
    }
  }
  if (isText) keepRaw(value, input)
  return {
    success: true,
    value,
    get raw() {
      return rawOf(value)
    },
    warnings,
  }
}

interface Examined<T> {
  value: T
  issues: SpecIssue[]
  warnings: SpecIssue[]
}

function examine<T extends object>(kind: Kind<T>, read: Read, options: ParseOptions): Examined<T> {
  if (read.value === undefined) return { value: undefined as never, issues: read.issues, warnings: [] }
  const schema = schemaOf(kind)
  const strict = options.mode === 'strict'
  let value: unknown = read.value
  if (!strict && read.hasNull) value = withoutNulls(schema, value)
  if (!strict) value = withEmptyLists(kind, value)
  const different = differences(schema, value, read.hasTexts)
  if (different.length > MAX_DIFFERENCES) {
    // Not all differences are known, so the parts to hide from rules are not known either.
    const issues = different.slice(0, MAX_ISSUES + 1).map(({ issue }) => issue)
    return { value: undefined as never, issues, warnings: [] }
  }
  const found = different.filter(({ keys, found }) => strict || !kind.tolerates?.(keys, found))
  const report = new Report(
    options,
    found.map(({ issue }) => issue.path),
  )
  const remaining = sound(
    value,
    found.map(({ keys }) => keys),
  )
  if (remaining !== undefined) for (const rule of kind.rules) rule(remaining as never, report)
  const all = [...read.issues, ...found.map(({ issue }) => issue), ...report.issues]
  const issues = all.slice(0, MAX_ISSUES + 1)
  return { value: value as T, issues, warnings: report.warnings }
}

function withEmptyLists<T extends object>({ emptyLists = [] }: Kind<T>, value: unknown): unknown {
  for (const [name = '', ...inner] of emptyLists) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    const member = (value as Record<string, unknown>)[name]
    const changed =
      inner.length === 0
        ? (member ?? [])
        : withEmptyLists({ emptyLists: [inner] } as unknown as Kind<T>, member)
    if (changed !== member) value = { ...value, [name]: changed }
  }
  return value
}

function readObject(value: object, maxDepth: number): Read {
  const census = new Census(maxDepth)
  census.count(value)
  const issues: SpecIssue[] = census.tooDeep
    ? [{ path: '', message: `is nested deeper than ${maxDepth} levels, or holds itself`, kind: 'json' }]
    : []
  return {
    value: census.tooDeep ? undefined : value,
    text: '',
    issues,
    hasNull: census.nulls > 0,
    hasTexts: true,
  }
}
