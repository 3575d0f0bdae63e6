/** JSON text that keeps what a JavaScript number would round. */
import { SpecError } from '../errors.ts'

/** Parses an object; numbers beyond 2^53 become `bigint`. Throws `ERR_INVALID_SPEC`. */
export function parseObject(text: string, subject: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(protectLargeNumbers(text), revive)
  } catch (error) {
    throw new SpecError('ERR_INVALID_SPEC', subject, [
      { path: '', message: `not valid JSON: ${(error as Error).message}` },
    ])
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new SpecError('ERR_INVALID_SPEC', subject, [{ path: '', message: 'must be a JSON object' }])
}

/** The reverse of {@link parseObject}: `bigint` is written as the number it is. */
export function formatObject(value: object, indent?: number): string {
  const text = JSON.stringify(
    value,
    (_key, member: unknown) => (typeof member === 'bigint' ? `${MARK}${member}` : member),
    indent,
  )
  return text.replaceAll(new RegExp(`"${MARK}(-?\\d+)"`, 'g'), '$1')
}

/** No document holds this: it is not a character that Unicode gives a meaning. */
const MARK = '\uFDD0'

/** Integers of 16 and more digits, outside strings. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g

function protectLargeNumbers(text: string): string {
  return text.replace(TOKEN, (token) =>
    token.startsWith('"') || Number.isSafeInteger(Number(token)) ? token : `"${MARK}${token}"`,
  )
}

function revive(_key: string, value: unknown): unknown {
  return typeof value === 'string' && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value
}
