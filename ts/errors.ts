/**
 * The one error family of the package. Codes are API: docs/errors.md lists them, and none is ever renamed.
 * A message is one line: what failed, on what, why; then the hint. No message is ever parsed.
 */

import type { ErrorCode, Phase } from './codes.ts'
import { visibleLine } from './visible.ts'

export type { ErrorCode, Phase } from './codes.ts'

/** The fields beside `code` and `message`; each is present only where it is known. */
export interface ErrorDetails {
  phase?: Phase | undefined
  containerId?: string | undefined
  /** The system call that failed, e.g. `mount`. */
  syscall?: string | undefined
  /** Its errno name, e.g. `EPERM`. */
  errno?: string | undefined
  path?: string | undefined
  /** What to do about it, one sentence. */
  hint?: string | undefined
  cause?: unknown
}

const brand: unique symbol = Symbol.for('caisson.error')

/**
 * Base class of every error thrown by this package. `instanceof` works across copies of the package.
 *
 * @example
 * ```ts
 * try {
 *   await run('oci:./busybox', ['nosuch'])
 * } catch (error) {
 *   if (error instanceof CaissonError && error.code === 'ERR_EXEC_NOT_FOUND') console.error(error.hint)
 * }
 * ```
 */
export class CaissonError extends Error {
  readonly code: ErrorCode
  declare readonly phase?: Phase
  declare readonly containerId?: string
  declare readonly syscall?: string
  declare readonly errno?: string
  declare readonly path?: string
  declare readonly hint?: string

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { cause, ...fields } = details
    super(
      visibleLine(details.hint === undefined ? message : `${message} (${details.hint})`),
      cause === undefined ? undefined : { cause },
    )
    this.code = code
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined) Object.defineProperty(this, name, { value, enumerable: true })
    }
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== CaissonError) return Function.prototype[Symbol.hasInstance].call(this, value)
    return typeof value === 'object' && value !== null && (value as { [brand]?: unknown })[brand] === true
  }
}
Object.defineProperty(CaissonError.prototype, brand, { value: true })
Object.defineProperty(CaissonError.prototype, 'name', {
  value: 'CaissonError',
  configurable: true,
  writable: true,
})

/** One problem in a document: where, what was found, what is allowed. */
export interface SpecIssue {
  /** JSON path, e.g. `linux.resources.memory.limit` or `mounts[3].options[1]`; empty for the document itself. */
  path: string
  /** What was found and what is allowed, in one sentence without its subject. */
  message: string
  /** How it was seen: in the JSON text, against the structure of the document, or by a rule beyond it. */
  kind?: 'json' | 'structure' | 'rule'
  /** The value found, shortened; absent where the path leads nowhere. */
  found?: string
  /** What is allowed. */
  allowed?: string
  /** Where it is in the text, from 1; absent where the document was no text. */
  line?: number
  /** UTF-16 units, from 1. */
  column?: number
}

/** Problems of one document that are listed; a check stops soon after. */
export const MAX_ISSUES = 100
/** Of these, what a message has, and how much of each. */
const MAX_LINES = 20
const MAX_LINE = 500

/** A document or an option was refused before any side effect; `issues` lists every problem found, up to 100. */
export class SpecError extends CaissonError {
  readonly issues: readonly SpecIssue[]

  constructor(
    code: 'ERR_INVALID_SPEC' | 'ERR_UNSUPPORTED_SPEC' | 'ERR_INVALID_OPTION' | 'ERR_INVALID_IMAGE',
    subject: string,
    issues: readonly SpecIssue[],
    details: ErrorDetails = {},
  ) {
    super(code, `${subject}: ${listed(issues)}`, { phase: 'validate', ...details })
    this.issues = issues.length > MAX_ISSUES ? issues.slice(0, MAX_ISSUES) : issues
  }
}

/** SECURITY: bounded, as paths and values are the document's own, and so is their number. */
function listed(issues: readonly SpecIssue[]): string {
  const lines = issues.slice(0, MAX_LINES).map(({ path, message }) => {
    const line = path === '' ? message : `${path}: ${message}`
    return line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line
  })
  if (issues.length > MAX_ISSUES) lines.push(`and more than ${MAX_ISSUES - MAX_LINES} more problems`)
  else if (issues.length > MAX_LINES) lines.push(`and ${issues.length - MAX_LINES} more problems`)
  return lines.join('; ')
}
Object.defineProperty(SpecError.prototype, 'name', { value: 'SpecError', configurable: true, writable: true })

const HINTS: Readonly<Record<string, string>> = {
  EROFS: 'the file system is mounted read-only: choose another directory',
  ENOSPC: 'the file system is full: free some space, or choose another directory',
  EDQUOT: "the user's quota is used up: free some space, or choose another directory",
  EACCES: 'check the owner and the mode of the file and of the directories above it, or choose another',
  EMFILE: 'raise the limit of open files: ulimit -n',
}

/**
 * A failed call of Node's as `operation: cause`; the operation is the call itself where none is given. An error of
 * another kind is returned as it is.
 */
export function systemError<T>(
  operation: string | undefined,
  cause: T,
  details: ErrorDetails = {},
): CaissonError | T {
  // Not `instanceof Error`: in a context of node:vm, as Jest makes one, Node's own errors are of another class.
  if (typeof cause !== 'object' || cause === null || cause instanceof CaissonError) return cause
  const { code, syscall, path, message, errno } = cause as Partial<NodeJS.ErrnoException>
  if (code === undefined || syscall === undefined || typeof errno !== 'number') return cause
  const call = path === undefined ? syscall : `${syscall} ${path}`
  const said = operation === undefined ? call : operation
  const where = path === undefined || said.includes(path) ? said : `${said}: ${call}`
  const words = /^[A-Z0-9]+: ([^,]+)/.exec(message ?? '')?.[1] // "EROFS: read-only file system, mkdir '/run/x'"
  return new CaissonError('ERR_SYSCALL', `${where}: ${code}${words === undefined ? '' : ` (${words})`}`, {
    syscall,
    errno: code,
    path,
    hint: HINTS[code],
    ...details,
    cause,
  })
}
