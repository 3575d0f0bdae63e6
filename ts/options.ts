/**
 * Options against what they take. The types say it as well, but from plain JavaScript anything may come, and an
 * option with a typing error would be a limit that is silently not there.
 */
import { SpecError, type SpecIssue } from './errors.ts'

/** What one option takes. */
export interface Check {
  /** In words that follow "must be". */
  readonly takes: string
  /** Leaving it out is wrong. */
  readonly needed?: boolean
  /** What is wrong with a value; a part of it is named by its path. */
  issues(value: unknown, path: string): readonly SpecIssue[]
}

/** A check for every option there is: one that is added cannot be forgotten. */
export type Known<Options> = { readonly [name in keyof Required<Options>]: Check }

const UNKNOWN = 'unknown option'

/** Throws `ERR_INVALID_OPTION` with everything that is wrong. What is undefined is absent. */
export function checkOptions(options: unknown, known: Readonly<Record<string, Check>>): void {
  refuse('options', object(known).issues(options, ''))
}

/** The same for an argument of its own. */
export function checkArgument(name: string, value: unknown, check: Check): void {
  refuse('arguments', check.issues(value, name))
}

function refuse(subject: string, issues: readonly SpecIssue[]): void {
  if (issues.length === 0) return
  const unknown = issues.find(({ message }) => message === UNKNOWN)
  throw new SpecError('ERR_INVALID_OPTION', subject, issues, { hint: unknown && hintFor(unknown) })
}

function hintFor({ path, allowed = '' }: SpecIssue): string {
  const name = path.split('.').at(-1)!
  const similar = allowed.split(', ').find((known) => isSimilar(name, known))
  return similar ? `did you mean ${similar}?` : `the options are ${allowed}`
}

/** The same letters in another order, or one letter more, less or changed. */
function isSimilar(name: string, known: string): boolean {
  const letters = (word: string): string => [...word.toLowerCase()].sort().join('')
  if (letters(name) === letters(known)) return true
  if (Math.abs(name.length - known.length) > 1) return false
  let start = 0
  while (start < name.length && name[start] === known[start]) start++
  let end = 0
  while (end < name.length - start && name.at(-1 - end) === known.at(-1 - end)) end++
  return Math.max(name.length, known.length) - start - end <= 1
}

/** Whatever `test` takes. */
export function such(takes: string, test: (value: unknown) => boolean): Check {
  return {
    takes,
    issues: (value, path) =>
      test(value) ? [] : [{ path, message: `must be ${takes}, not ${shown(value)}`, allowed: takes }],
  }
}

/** Options in an object, each with its own check. */
export function object(known: Readonly<Record<string, Check>>): Check {
  const takes = 'an object'
  return {
    takes,
    issues(value, path) {
      if (!isObject(value)) return such(takes, isObject).issues(value, path)
      const inside = (name: string): string => (path === '' ? name : `${path}.${name}`)
      const unknown = Object.keys(value).filter(
        (name) => value[name] !== undefined && !Object.hasOwn(known, name),
      )
      return [
        ...unknown.map((name) => ({
          path: inside(name),
          message: UNKNOWN,
          allowed: Object.keys(known).join(', '),
        })),
        ...Object.entries(known).flatMap(([name, check]) =>
          value[name] === undefined && !check.needed ? [] : check.issues(value[name], inside(name)),
        ),
      ]
    },
  }
}

/** Names that the caller chooses, with values of one kind. */
export function named(each: Check, isName: (name: string) => boolean = () => true): Check {
  const takes = `an object with values that are each ${each.takes}`
  return {
    takes,
    issues(value, path) {
      if (!isObject(value)) return such(takes, isObject).issues(value, path)
      return Object.entries(value).flatMap(([name, one]) => {
        const at = `${path}[${JSON.stringify(name)}]`
        return isName(name) ? each.issues(one, at) : [{ path: at, message: 'invalid name' }]
      })
    },
  }
}

export function list(each: Check): Check {
  const takes = `a list with entries that are each ${each.takes}`
  return {
    takes,
    issues: (value, path) =>
      Array.isArray(value)
        ? // Holes, too, are invalid entries.
          Array.from(value, (one: unknown, at) => each.issues(one, `${path}[${at}]`)).flat()
        : such(takes, Array.isArray).issues(value, path),
  }
}

/** With one entry at least. */
export function filled(entries: Check): Check {
  return {
    takes: entries.takes,
    issues: (value, path) =>
      Array.isArray(value) && value.length === 0
        ? [{ path, message: 'must have an entry' }]
        : entries.issues(value, path),
  }
}

/** One of several; what is wrong with a part is said where only one kind fits from outside. */
export function either(...checks: readonly Check[]): Check {
  const takes = checks.map((check) => check.takes).join(' or ')
  return {
    takes,
    issues(value, path) {
      const found = checks.map((check) => check.issues(value, path))
      if (found.some((issues) => issues.length === 0)) return []
      const inside = found.filter((issues) => issues.every((issue) => issue.path !== path))
      return inside.length === 1 ? inside[0]! : such(takes, () => false).issues(value, path)
    },
  }
}

/** It has to be there. */
export function needed(check: Check): Check {
  return { ...check, needed: true }
}

export function oneOf(...values: readonly (string | boolean | null)[]): Check {
  return such(values.map((value) => JSON.stringify(value)).join(' or '), (value) =>
    values.includes(value as string),
  )
}

/** Whole numbers. */
export function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): Check {
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} up` : `between ${least} and ${most}`
  return such(
    `a whole number ${range}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  )
}

export const flag: Check = such('true or false', (value) => typeof value === 'boolean')
export const text: Check = such('a text', (value) => typeof value === 'string')
export const texts: Check = list(text)
export const path: Check = such('a path', (value) => isText(value))
export const callback: Check = such('a function', (value) => typeof value === 'function')
export const signal: Check = such(
  'an AbortSignal',
  (value) => isObject(value) && typeof value['aborted'] === 'boolean' && has(value, 'addEventListener'),
)

/** Not empty, and nothing that the system would cut it at. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0')
}

/** An object, and not a list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether all of these are methods of it: classes of another copy of the package are as good. */
export function has(value: unknown, ...methods: readonly string[]): boolean {
  return isObject(value) && methods.every((name) => typeof value[name] === 'function')
}

const LONGEST = 60

function shown(value: unknown): string {
  if (typeof value === 'string') {
    const quoted = JSON.stringify(value)
    return quoted.length > LONGEST ? `${quoted.slice(0, LONGEST)}…` : quoted
  }
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'function') return 'a function'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
