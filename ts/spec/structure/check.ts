/** Checks a value against a schema: every difference with its path, the actual value and what is allowed. */
import type { SpecIssue } from '../../errors.ts'
import { JsonNumber } from '../json/number.ts'
import { formatPath } from '../json/path.ts'
import { show } from '../show.ts'
import { at } from '../at.ts'
import type { Schema } from './leaf.ts'
import { problems } from './zod.ts'

export interface Difference {
  keys: PropertyKey[]
  found: unknown
  issue: SpecIssue
}

export function differences(schema: Schema, value: unknown, hasTexts: boolean): Difference[] {
  return problems(schema, hasTexts ? withoutTexts(value) : value).map((problem) => {
    const allowed = problem.code === 'custom' ? String(problem.params?.['allowed']) : problem.message
    const found = at(value, problem.path)
    const issue: SpecIssue = {
      path: formatPath(problem.path),
      message:
        found === undefined ? `is missing: it must be ${allowed}` : `must be ${allowed}, not ${show(found)}`,
      kind: 'structure',
      allowed,
    }
    if (found !== undefined) issue.found = show(found)
    return { keys: problem.path, found, issue }
  })
}

/** A {@link JsonNumber} is a JavaScript object, and must not be confused with one of the document. */
function withoutTexts(value: unknown): unknown {
  if (value instanceof JsonNumber) return Symbol(value.text)
  if (Array.isArray(value)) return value.map(withoutTexts)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutTexts(member)]))
}
