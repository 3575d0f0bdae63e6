/** JSON without a schema: what is executed is checked by the native core, which reads the same text. */
import { SpecError } from '../../errors.ts'
import { readJson } from './read.ts'

/** Reads an object; nothing is lost, numbers beyond 2^53 become `bigint`. Throws `ERR_INVALID_SPEC`. */
export function readObject(input: string | Uint8Array, subject: string): Record<string, unknown> {
  const { value, issues } = readJson(input)
  if (issues.length > 0) throw new SpecError('ERR_INVALID_SPEC', subject, issues)
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new SpecError('ERR_INVALID_SPEC', subject, [
    { path: '', message: 'must be an object', kind: 'structure' },
  ])
}
