/** A configuration as JSON. 64-bit numbers beyond 2^53 are held as `bigint` and printed digit by digit. */
import type { RuntimeSpec } from '../spec/index.ts'

/** The text that goes to the native side, or into a config.json. */
export function printSpec(spec: RuntimeSpec, indent?: string): string {
  // A NUL cannot stand in a path, an argument or an environment variable, so no text of a document begins like this.
  const mark = '\u0000bigint:'
  const text = JSON.stringify(
    spec,
    (_, value: unknown) => (typeof value === 'bigint' ? mark + value : value),
    indent,
  )
  return text.replace(/"\\u0000bigint:(-?\d+)"/g, '$1')
}
