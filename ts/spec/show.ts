/** Formats values for messages: on one line, and short. */
import { JsonNumber } from './json/number.ts'

const LONGEST = 80

export function show(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object' && value !== null && !(value instanceof JsonNumber)) return 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, LONGEST)) : String(value)
  if (typeof value === 'string' && value.length > LONGEST) return `${text.slice(0, LONGEST)}…`
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}…`
}
