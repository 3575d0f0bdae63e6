/** Parsers for documents of the runtime specification: string, bytes or object in, validated document out. */
import { formatJson } from '../json/format.ts'
import { RUNTIME_RULES } from '../rule/runtime/index.ts'
import { features, state } from '../rule/runtime/reports.ts'
import type { RuntimeFeatures, RuntimeSpec, RuntimeState } from '../runtime/index.ts'
import { runtimeConfig } from '../structure/runtime-config.ts'
import { runtimeFeatures, runtimeState } from '../structure/runtime-reports.ts'
import { parse, safeParse, type Kind } from './document.ts'
import type { DocumentInput, ParseOptions, ParseResult } from './options.ts'
import { toleratesConfig } from './tolerance.ts'

const code = 'ERR_INVALID_SPEC'
const CONFIG: Kind<RuntimeSpec> = {
  name: 'config.json',
  code,
  schema: runtimeConfig,
  rules: RUNTIME_RULES,
  tolerates: toleratesConfig,
}
const STATE: Kind<RuntimeState> = { name: 'state', code, schema: runtimeState, rules: [state] }
const FEATURES: Kind<RuntimeFeatures> = { name: 'features', code, schema: runtimeFeatures, rules: [features] }

/**
 * config.json. Throws `SpecError` `ERR_INVALID_SPEC` that lists every issue with its path. 64-bit numbers are never
 * rounded, unknown properties are kept. A valid document does not necessarily run here: see `runnable`.
 *
 * @example
 * ```ts
 * const spec = parseRuntimeSpec(await readFile('bundle/config.json'))
 * console.log(spec.process?.args)
 * ```
 */
export function parseRuntimeSpec(input: DocumentInput, options?: ParseOptions): RuntimeSpec {
  return parse(CONFIG, input, options)
}

/** Like {@link parseRuntimeSpec}, with issues and warnings as values. */
export function safeParseRuntimeSpec(input: DocumentInput, options?: ParseOptions): ParseResult<RuntimeSpec> {
  return safeParse(CONFIG, input, options)
}

/** The state of a container, as printed by `state` and read by hooks. Throws `ERR_INVALID_SPEC`. */
export function parseRuntimeState(input: DocumentInput, options?: ParseOptions): RuntimeState {
  return parse(STATE, input, options)
}

export function safeParseRuntimeState(
  input: DocumentInput,
  options?: ParseOptions,
): ParseResult<RuntimeState> {
  return safeParse(STATE, input, options)
}

/** The capabilities of a runtime, as printed by `features`. Throws `ERR_INVALID_SPEC`. */
export function parseRuntimeFeatures(input: DocumentInput, options?: ParseOptions): RuntimeFeatures {
  return parse(FEATURES, input, options)
}

export function safeParseRuntimeFeatures(
  input: DocumentInput,
  options?: ParseOptions,
): ParseResult<RuntimeFeatures> {
  return safeParse(FEATURES, input, options)
}

/** Serialises a configuration; `bigint` is written as an exact number. `indent` in spaces. */
export function formatRuntimeSpec(spec: RuntimeSpec, indent?: number): string {
  return formatJson(spec, indent)
}
