/** JSON without a schema: the native core validates what is executed, from the same source. */
import { SpecError } from '../../errors.ts'
import { readJson } from './read.ts'

/** Parses an object without loss: numbers beyond 2^53 become `bigint`. Throws `ERR_INVALID_SPEC`. */
export function readObject(input: string | Uint8Array, subject: string): Record<string, unknown> {
  const { value, issues } = readJson(input)
  if (issues.length > 0) throw new SpecError('ERR_INVALID_SPEC', subject, issues)
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new SpecError('ERR_INVALID_SPEC', subject, [
    { path: '', message: 'must be an object', kind: 'structure' },
  ])
}
