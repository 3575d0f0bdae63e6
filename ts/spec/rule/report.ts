/** The input of rules, and how they report issues. */
import { MAX_ISSUES, type SpecIssue } from '../../errors.ts'
import { show } from '../show.ts'

/**
 * A document without its structurally invalid parts: any property may be missing, and existing ones have their type.
 */
export type Sound<T> = T extends readonly (infer Item)[]
  ? readonly (Sound<Item> | undefined)[]
  : T extends object
    ? { readonly [K in keyof T]?: Sound<NonNullable<T[K]>> | null | undefined }
    : T

export type Rule<T> = (document: Sound<T>, report: Report) => void

export interface ReportMode {
  mode?: 'lenient' | 'strict' | undefined
  mediaType?: string | undefined
  runnable?: boolean | undefined
}

/** A path and its parents. */
function* upwards(path: string): Generator<string> {
  for (let end = path.length; end > 0; end--) {
    if (end === path.length || path[end] === '.' || path[end] === '[') yield path.slice(0, end)
  }
  yield ''
}

/** Collects issues, of each kind a few more than are ever listed. */
export class Report {
  readonly issues: SpecIssue[] = []
  readonly warnings: SpecIssue[] = []
  readonly strict: boolean
  /** The media type by which the document was referenced. */
  readonly mediaType: string | undefined
  readonly #runnable: boolean
  readonly #broken: ReadonlySet<string>
  /** Parents of all broken paths. */
  readonly #above: ReadonlySet<string>

  /** `broken` are structurally invalid paths, from which a rule must not draw conclusions. */
  constructor(mode: ReportMode, broken: readonly string[]) {
    this.strict = mode.mode === 'strict'
    this.mediaType = mode.mediaType
    this.#runnable = mode.runnable === true
    this.#broken = new Set(broken)
    this.#above = new Set(broken.flatMap((path) => [...upwards(path)]))
  }

  /** Whether something at, above or below `path` is broken, so that an absence has no meaning. */
  isBroken(path: string): boolean {
    if (this.#broken.size === 0) return false
    if (this.#above.has(path)) return true
    for (const above of upwards(path)) if (this.#broken.has(above)) return true
    return false
  }

  /** A sentence without a subject: `needs a "user" namespace`. */
  error(path: string, message: string, about: { found?: unknown; allowed?: string } = {}): void {
    const issue: SpecIssue = { path, message, kind: 'rule' }
    if (about.found !== undefined) issue.found = show(about.found)
    if (about.allowed !== undefined) issue.allowed = about.allowed
    add(this.issues, issue)
  }

  /** The value is not allowed. */
  wrong(path: string, found: unknown, allowed: string): void {
    const message =
      found === undefined ? `is missing: it must be ${allowed}` : `must be ${allowed}, not ${show(found)}`
    this.error(path, message, { found, allowed })
  }

  /** An error in strict mode, nothing in lenient mode. */
  strictly(path: string, found: unknown, allowed: string): void {
    if (this.strict) this.wrong(path, found, allowed)
  }

  /** An error in strict mode, a warning in lenient mode. */
  strictOrWarn(path: string, message: string): void {
    if (this.strict) this.error(path, message)
    else this.warn(path, message)
  }

  /** An error for a configuration to be run here, otherwise a warning: the specification does not require it. */
  runnable(path: string, message: string): void {
    if (this.#runnable) this.error(path, message)
    else this.warn(path, message)
  }

  warn(path: string, message: string): void {
    add(this.warnings, { path, message, kind: 'rule' })
  }
}

function add(list: SpecIssue[], issue: SpecIssue): void {
  if (list.length <= MAX_ISSUES) list.push(issue)
}

/** The structurally valid items with their paths. */
export function each<T>(list: readonly (T | undefined)[] | null | undefined): [number, T][] {
  const items: [number, T][] = []
  if (!list) return items
  for (let index = 0; index < list.length; index++) {
    const item = list[index]
    if (item !== undefined && item !== null) items.push([index, item])
  }
  return items
}
