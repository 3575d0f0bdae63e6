/** Values as messages show them: on one line, and short. */
import { JsonNumber } from './json/number.ts'

const LONGEST = 80

export function show(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (value instanceof JsonNumber) return value.text
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}…`
}
