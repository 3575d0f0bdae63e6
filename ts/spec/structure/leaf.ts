/**
 * What a property may hold: plain descriptions, so that importing them costs nothing. zod.ts makes schemas of those that a
 * document needs. Each says in its `allowed` what it takes; that, and what was found, is the message.
 */

/** Says that what is at `path` is not what `schema` describes, unless it is. */
export type Inspect = (
  value: never,
  look: (path: PropertyKey[], schema: Schema, value: unknown) => void,
) => void

declare const of: unique symbol
/** Describes a `T`. */
export interface Schema<T = unknown> {
  readonly [of]?: T
  readonly optional?: boolean
  /** Null is not the same as nothing, to any reader. */
  readonly refusesNull?: boolean
  /** A value of its own, known by `test`. */
  readonly allowed?: string
  readonly test?: (value: unknown) => boolean
  /** Looks at what is inside, after `test`. */
  readonly inspect?: Inspect
  /** Members of an object. */
  readonly shape?: Readonly<Record<string, Schema>>
  /** Items of a list. */
  readonly item?: Schema
  /** Described when a document first has it. */
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

/** Null is an error even to a lenient reader: the native core does not take it for a number. */
export function notNull<T>(schema: Optional<T>): Optional<T> {
  return { ...schema, refusesNull: true }
}

/** May be null too, as the specification's own schema says. */
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

/** Names without the index signature. */
type Known<T> = keyof { [K in keyof T as string extends K ? never : number extends K ? never : K]: T[K] }
/** A schema for each property of an interface, no more and no less; optional ones for optional ones. */
export type Shape<T> = { [K in Known<T>]-?: {} extends Pick<T, K> ? Optional : Schema }

/** Unknown properties are neither looked at nor lost: the value that was checked is the one that is given back. */
export function object<T>(shape: Shape<T>): Schema<T> {
  return { shape: shape as unknown as Record<string, Schema> }
}

export function list<T>(item: Schema<T>): Schema<T[]> {
  return { item }
}

/** May be absent, and is described when a document first has it. */
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

/** Whole numbers, `bigint` where a number would be rounded. */
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

/** An object with arbitrary names; `__proto__` is one like any other. */
export function mapOf<T>(item: Schema<T>): Schema<Record<string, T>> {
  return leaf('an object', isObject, (object: Record<string, unknown>, look) => {
    for (const [name, value] of Object.entries(object)) look([name], item, value)
  })
}

/** Texts are most of any document: looked at in one loop, and by a schema only where one is wrong. */
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
