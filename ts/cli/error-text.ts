/** Error codes to the sentences of runc that engines search for. The one place where the two meet. */
import { CaissonError, type ErrorCode } from '../errors.ts'

const sentences: Partial<Record<ErrorCode, (error: CaissonError) => string>> = {
  ERR_NOT_FOUND: (error) => (error.containerId === undefined ? error.message : 'container does not exist'),
  ERR_EXISTS: (error) =>
    error.containerId === undefined ? error.message : 'container with given ID already exists',
  ERR_INVALID_ID: ({ containerId }) =>
    containerId === '' ? 'container id cannot be empty' : 'invalid container ID format',
  ERR_EXEC_NOT_FOUND: starting,
  ERR_EXEC_DENIED: starting,
  ERR_HOOK: starting,
}

const duringInit = new Set<string | undefined>(['setup'])

/** One line for the log. */
export function errorText(error: unknown): string {
  if (!(error instanceof CaissonError)) return error instanceof Error ? plain(error) : String(error)
  return (sentences[error.code] ?? general)(error)
}

/** Where libuv's words are not strerror(3)'s. */
const STRERROR: Readonly<Record<string, string>> = { EISDIR: 'is a directory' }

/** `open PATH: no such file or directory` of Node's `ENOENT: no such file or directory, open 'PATH'`. */
function plain(error: NodeJS.ErrnoException): string {
  const words = STRERROR[error.code ?? ''] ?? /^[A-Z0-9]+: ([^,]+),/.exec(error.message)?.[1]
  return words && error.path ? `${error.syscall} ${error.path}: ${words}` : error.message
}

function starting({ message }: CaissonError): string {
  return `unable to start container process: ${message}`
}

function general(error: CaissonError): string {
  if (!duringInit.has(error.phase)) return error.message
  return `unable to start container process: error during container init: ${error.message}`
}
