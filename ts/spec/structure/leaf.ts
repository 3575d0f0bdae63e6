/**
 * Plain descriptions of properties, which cost nothing to import; zod.ts converts those that a document needs to
 * schemas. Each describes the accepted values in `allowed`; that and the actual value are the message.
 */

/** Reports that the value at `path` does not match `schema`, unless it does. */
export type Inspect = (
  value: never,
  look: (path: PropertyKey[], schema: Schema, value: unknown) => void,
) => void

declare const of: unique symbol
/** Describes a `T`. */
export interface Schema<T = unknown> {
  readonly [of]?: T
  readonly optional?: boolean
  /** Null is never the same as absent. */
  readonly refusesNull?: boolean
  /** A scalar, recognised by `test`. */
  readonly allowed?: string
  readonly test?: (value: unknown) => boolean
  /** Checks the content, after `test`. */
  readonly inspect?: Inspect
  /** Members of an object. */
  readonly shape?: Readonly<Record<string, Schema>>
  /** Items of an array. */
  readonly item?: Schema
  /** Values of a map. */
  readonly values?: Schema
  /** Created when a document first contains it. */
  readonly section?: () => Schema
}
export interface Optional<T = unknown> extends Schema<T> {
  readonly optional: true
}

export function leaf<T>(allowed: string, test: (value: unknown) => boolean, inspect?: Inspect): Schema<T> {
  return inspect ? { allowed, test, inspect } : { allowed, test }
}

export function optional<T>(schema: Schema<T>): Optional<T> {
  const isLeaf = schema.test !== undefined
  return isLeaf ? { ...schema, optional: true } : { optional: true, section: () => schema }
}

/** Null is an error even in lenient mode: the native core does not accept it for a number. */
export function notNull<T>(schema: Optional<T>): Optional<T> {
  return { ...schema, refusesNull: true }
}

/** May also be null, as in the specification's own schema. */
export function nullable<T>(schema: Optional<T>): Optional<T | null> {
  const { test, inspect, section } = schema
  const nulls: Schema['test'] = (value) => value === null || !test || test(value)
  const inner: Inspect = (value, look) => {
    if (value === null) return
    if (section) look([], section(), value)
    else inspect?.(value, look)
  }
  return { allowed: `${schema.allowed ?? 'an object'} or null`, test: nulls, inspect: inner, optional: true }
}

/** Keys without the index signature. */
type Known<T> = keyof { [K in keyof T as string extends K ? never : number extends K ? never : K]: T[K] }
/** A schema for exactly the properties of an interface; optional ones for optional ones. */
export type Shape<T> = { [K in Known<T>]-?: {} extends Pick<T, K> ? Optional : Schema }

/** Unknown properties are neither checked nor lost: the checked value itself is returned. */
export function object<T>(shape: Shape<T>): Schema<T> {
  return { shape: shape as unknown as Record<string, Schema> }
}

export function list<T>(item: Schema<T>): Schema<T[]> {
  return { item }
}

/** May be absent; created when a document first contains it. */
export function section<T>(build: () => Schema<T>): Optional<T> {
  let built: Schema<T> | undefined
  return { optional: true, section: () => (built ??= build()) }
}

export const text: Schema<string> = leaf('a text', (value) => typeof value === 'string')
export const flag: Schema<boolean> = leaf('true or false', (value) => typeof value === 'boolean')
export const optionalText: Optional<string> = optional(text)
export const optionalFlag: Optional<boolean> = optional(flag)

export function matching(pattern: RegExp, allowed: string): Schema<string> {
  return leaf(allowed, (value) => typeof value === 'string' && pattern.test(value))
}

export function oneOf<T extends string | number>(...values: readonly T[]): Schema<T> {
  const allowed = values.length === 1 ? JSON.stringify(values[0]) : `one of ${values.join(', ')}`
  return leaf(allowed, (value) => values.includes(value as T))
}

/** Integers, as `bigint` where a number would be rounded. */
export function whole(min: number | bigint, max: number | bigint): Schema<number> {
  return leaf(
    `a whole number from ${min} to ${max}`,
    (value) =>
      (Number.isSafeInteger(value) || typeof value === 'bigint') &&
      (value as number) >= min &&
      (value as number) <= max,
  )
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** An object with arbitrary keys; `__proto__` is an ordinary one. */
export function mapOf<T>(item: Schema<T>): Schema<Record<string, T>> {
  const map = leaf<Record<string, T>>('an object', isObject, (object: Record<string, unknown>, look) => {
    for (const [name, value] of Object.entries(object)) look([name], item, value)
  })
  return { ...map, values: item }
}

/** Strings are most of any document: checked in one loop, and by a schema only if one is invalid. */
function textList(
  allowed: string,
  atLeast: number,
  item: Schema,
  fits: (value: string) => boolean,
): Schema<string[]> {
  return leaf(
    allowed,
    (value) => Array.isArray(value) && value.length >= atLeast,
    (list: unknown[], look) => {
      if (list.every((value) => typeof value === 'string' && fits(value))) return
      for (const [index, value] of list.entries()) look([index], item, value)
    },
  )
}

const always = (): boolean => true
export const texts: Schema<string[]> = textList('a list', 0, text, always)

/** At least one. */
export function someTexts(allowed: string): Schema<string[]> {
  return textList(allowed, 1, text, always)
}

export function textsMatching(pattern: RegExp, allowed: string): Schema<string[]> {
  return textList('a list', 0, matching(pattern, allowed), (value) => pattern.test(value))
}

export function listOf(...values: readonly string[]): Schema<string[]> {
  return textList('a list', 0, oneOf(...values), (value) => values.includes(value))
}

export const textMap: Schema<Record<string, string>> = mapOf(text)
export const optionalTexts: Optional<string[]> = optional(texts)
export const optionalTextMap: Optional<Record<string, string>> = optional(textMap)

const U64 = 2n ** 64n - 1n
const I64 = 2n ** 63n
export const uint16: Schema<number> = whole(0, 0xffff)
export const uint32: Schema<number> = whole(0, 0xffff_ffff)
export const uint64: Schema<number | bigint> = whole(0, U64)
export const int64: Schema<number | bigint> = whole(-I64, I64 - 1n)
export const optionalUint32: Optional<number> = optional(uint32)
export const optionalUint64: Optional<number | bigint> = optional(uint64)
export const optionalInt64: Optional<number | bigint> = optional(int64)
