/**
 * Converts descriptions to zod schemas in the style of `zod/mini`; only this folder uses zod. Each object and array has
 * one schema, created when a document first contains it. Scalar properties are checked in a loop by the schema of their
 * object: a schema for each of them tripled the cost of the first document, and doubled that of every other.
 */
import * as z from 'zod/mini'
import type { Schema } from './leaf.ts'

type ZodSchema = z.ZodMiniType
type Payload = z.core.ParsePayload

/**
 * Passed per call, as the global configuration belongs to the application: no code generation, which hosts without
 * `eval` refuse.
 */
const PER_CALL = { jitless: true } as const
/** Limit of differences: a hostile document has as many as it has bytes. */
export const MAX_DIFFERENCES = 1000
const built = new WeakMap<Schema, ZodSchema>()

/** The differences in zod's form; the list is incomplete above {@link MAX_DIFFERENCES}. */
export function problems(schema: Schema, value: unknown): readonly z.core.$ZodIssue[] {
  const result = z.safeParse(zodOf(schema), value, PER_CALL)
  return result.success ? [] : result.error.issues
}

function zodOf(schema: Schema): ZodSchema {
  let zod = built.get(schema)
  if (!zod) built.set(schema, (zod = build(schema)))
  return zod
}

function build(schema: Schema): ZodSchema {
  const { shape, item } = schema
  if (item) {
    return checked(Array.isArray, 'a list', (payload) => {
      for (const [index, value] of (payload.value as unknown[]).entries()) {
        look(payload, [index], item, value)
        if (isEnough(payload)) break
      }
    })
  }
  if (!shape) return checked(always, '', (payload) => look(payload, [], schema, payload.value))
  const members = Object.entries(shape)
  return checked(isObject, 'an object', (payload) => {
    const object = payload.value as Record<string, unknown>
    for (const [name, member] of members) {
      const value = Object.hasOwn(object, name) ? object[name] : undefined
      if (value !== undefined || !member.optional) look(payload, [name], member, value)
    }
  })
}

const isEnough = ({ issues }: Payload): boolean => issues.length > MAX_DIFFERENCES
const always = (): boolean => true
const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `z.custom(test).check(check)`, which would create the schema twice. */
function checked(
  test: (value: unknown) => boolean,
  allowed: string,
  check: (payload: Payload) => void,
): ZodSchema {
  const checks = [{ _zod: { check, def: { check: 'custom' }, onattach: [] } }]
  return z.custom(test, { params: { allowed }, checks } as Parameters<typeof z.custom>[1])
}

/** A scalar by its test, an object or an array by its schema. */
function look(payload: Payload, path: PropertyKey[], schema: Schema, value: unknown): void {
  if (isEnough(payload)) return
  const { test, allowed, inspect, section } = schema
  if (!test) {
    for (const issue of problems(section ? section() : schema, value)) {
      payload.issues.push({ ...issue, path: [...path, ...issue.path], input: value } as z.core.$ZodRawIssue)
    }
  } else if (!test(value)) {
    payload.issues.push({ code: 'custom', path, params: { allowed }, input: value } as z.core.$ZodRawIssue)
  } else inspect?.(value as never, (inner, item, found) => look(payload, [...path, ...inner], item, found))
}
