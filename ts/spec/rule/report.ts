/** What rules see of a document, and how they say what is wrong. */
import { MAX_ISSUES, type SpecIssue } from '../../errors.ts'
import { show } from '../show.ts'

/** A document without the parts whose structure is wrong: anything may be missing, what is there has its type. */
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

/** A path and those above it. */
function* upwards(path: string): Generator<string> {
  for (let end = path.length; end > 0; end--) {
    if (end === path.length || path[end] === '.' || path[end] === '[') yield path.slice(0, end)
  }
  yield ''
}

/** Collects problems, of each kind a few more than are ever listed. */
export class Report {
  readonly issues: SpecIssue[] = []
  readonly warnings: SpecIssue[] = []
  readonly strict: boolean
  /** The media type by which the document was referenced. */
  readonly mediaType: string | undefined
  readonly #runnable: boolean
  readonly #broken: ReadonlySet<string>
  /** Everything that something broken is below. */
  readonly #above: ReadonlySet<string>

  /** `broken`: the paths that a rule must not draw conclusions from, as their structure is wrong. */
  constructor(mode: ReportMode, broken: readonly string[]) {
    this.strict = mode.mode === 'strict'
    this.mediaType = mode.mediaType
    this.#runnable = mode.runnable === true
    this.#broken = new Set(broken)
    this.#above = new Set(broken.flatMap((path) => [...upwards(path)]))
  }

  /** Whether something at, above or below `path` is not as it should be, so that its absence says nothing. */
  isBroken(path: string): boolean {
    if (this.#broken.size === 0) return false
    if (this.#above.has(path)) return true
    for (const above of upwards(path)) if (this.#broken.has(above)) return true
    return false
  }

  /** A sentence without its subject: `needs a "user" namespace`. */
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

  /** An error for what we write, nothing for what we read. */
  strictly(path: string, found: unknown, allowed: string): void {
    if (this.strict) this.wrong(path, found, allowed)
  }

  /** An error for what we write, a warning for what we read. */
  strictOrWarn(path: string, message: string): void {
    if (this.strict) this.error(path, message)
    else this.warn(path, message)
  }

  /** An error for what is to be run here, a warning otherwise: the specification does not ask for it. */
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

/** The items whose structure is right, with their places. */
export function each<T>(list: readonly (T | undefined)[] | null | undefined): [number, T][] {
  const items: [number, T][] = []
  if (!list) return items
  for (let index = 0; index < list.length; index++) {
    const item = list[index]
    if (item !== undefined && item !== null) items.push([index, item])
  }
  return items
}
