/** Text to documents. The native core has the last word on a configuration that is to be executed. */
import { formatObject, parseObject } from './json.ts'
import type { RuntimeSpec } from './runtime/index.ts'

/**
 * config.json as an object; 64-bit numbers are not rounded. The rules of the specification are checked, all of them and
 * each with its path, when a container is created or planned.
 * Throws `ERR_INVALID_SPEC` for text that is no JSON object.
 */
export function parseRuntimeSpec(text: string): RuntimeSpec {
  return parseObject(text, 'config.json') as RuntimeSpec
}

/** The text of a configuration; `bigint` is written as the number it is. */
export function formatRuntimeSpec(spec: RuntimeSpec, indent?: number): string {
  return formatObject(spec, indent)
}
