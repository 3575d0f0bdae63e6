/** Serialises values; numbers are written verbatim. */
import { JsonNumber } from './number.ts'

/** Like `JSON.stringify`, with `bigint` and {@link JsonNumber} as exact numbers. `indent` in spaces. */
export function formatJson(value: unknown, indent?: number): string {
  try {
    return JSON.stringify(value, undefined, indent)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  }
  return write(value, ' '.repeat(indent ?? 0), '', new Set()) ?? 'null'
}

/** Undefined for a value that JSON leaves out. */
function write(value: unknown, indent: string, margin: string, above: Set<object>): string | undefined {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof JsonNumber) return value.text
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (above.has(value)) throw new TypeError('a document cannot hold itself')
  above.add(value)
  const inner = margin + indent
  const items = Array.isArray(value)
    ? value.map((item) => write(item, indent, inner, above) ?? 'null')
    : Object.entries(value).flatMap(([name, member]) => {
        const text = write(member, indent, inner, above)
        return text === undefined ? [] : [`${JSON.stringify(name)}:${indent && ' '}${text}`]
      })
  above.delete(value)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  if (items.length === 0) return `${open}${close}`
  if (indent === '') return `${open}${items.join(',')}${close}`
  return `${open}\n${inner}${items.join(`,\n${inner}`)}\n${margin}${close}`
}
