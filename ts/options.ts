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
/** Options that a hint lists. */
const FEW = 12

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

/** The nearest name; all of them only where they are few. */
function hintFor({ path, allowed = '' }: SpecIssue): string | undefined {
  const name = path.split('.').at(-1)!
  const known = allowed.split(', ')
  const [nearest] = known
    .map((option) => ({ option, distance: distance(name.toLowerCase(), option.toLowerCase()) }))
    .filter(({ option, distance }) => distance <= Math.max(1, Math.floor(option.length / 3)))
    .toSorted((a, b) => a.distance - b.distance)
  const abbreviated = known.find(
    (option) => option.length > 2 && name.toLowerCase().startsWith(option.toLowerCase()),
  )
  const similar = nearest?.option ?? abbreviated
  if (similar !== undefined) return `did you mean ${similar}?`
  return known.length <= FEW ? `the options are ${allowed}` : undefined
}

/** Letters more, less, changed, or swapped with the next (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      row.push(Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
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
