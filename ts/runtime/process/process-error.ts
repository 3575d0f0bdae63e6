/** How a run that did not go well is reported: the error is the result. */
import { CaissonError, type ErrorCode } from '../../errors.ts'

/** What a finished run leaves. */
export interface RunResult<Output extends string | Buffer = string> {
  /** Program and arguments, where the caller gave them. */
  command: readonly string[]
  containerId: string
  /** What the program wrote; empty where stdout was no pipe. */
  stdout: Output
  stderr: Output
  /** Null when a signal ended the program. */
  exitCode: number | null
  /** `'SIGTERM'`, … when a signal ended it. */
  signal: string | null
  /** The memory limit ended it. */
  oomKilled: boolean
  /** The option `timeout` ended it. */
  timedOut: boolean
  /** Milliseconds from the call to the end, unpacking included. */
  durationMs: number
}

/**
 * The program ended with another status than 0: `ERR_EXIT`, `ERR_SIGNAL`, `ERR_OOM`, `ERR_TIMEOUT`,
 * `ERR_LIMIT_EXCEEDED` when it wrote more than `maxBuffer`, or `ERR_STREAM` when a stream of the caller's failed,
 * with the failure as `cause`. Carries every field of the result.
 */
export class ProcessError<Output extends string | Buffer = string>
  extends CaissonError
  implements RunResult<Output>
{
  declare readonly containerId: string
  readonly command: readonly string[]
  readonly stdout: Output
  readonly stderr: Output
  readonly exitCode: number | null
  readonly signal: string | null
  readonly oomKilled: boolean
  readonly timedOut: boolean
  readonly durationMs: number

  constructor(code: ErrorCode, reason: string, result: RunResult<Output>, cause?: Error) {
    const { containerId, command, stdout, stderr, exitCode, signal, oomKilled, timedOut, durationMs } = result
    const last = lastLine(String(stderr))
    super(code, `${command[0] ?? containerId} ${reason}${last && `: ${last}`}`, {
      phase: 'wait',
      containerId,
      cause,
    })
    this.command = command
    this.stdout = stdout
    this.stderr = stderr
    this.exitCode = exitCode
    this.signal = signal
    this.oomKilled = oomKilled
    this.timedOut = timedOut
    this.durationMs = durationMs
  }
}
Object.defineProperty(ProcessError.prototype, 'name', {
  value: 'ProcessError',
  configurable: true,
  writable: true,
})

/** The error for a result, or undefined when all went well. */
export function processError<Output extends string | Buffer>(
  result: RunResult<Output>,
  limits: { timeout: number | undefined; overflow: boolean; maxBuffer: number },
): ProcessError<Output> | undefined {
  const { exitCode, signal, oomKilled, timedOut } = result
  if (limits.overflow) {
    return new ProcessError(
      'ERR_LIMIT_EXCEEDED',
      `wrote more than maxBuffer, ${limits.maxBuffer} bytes`,
      result,
    )
  }
  if (timedOut) return new ProcessError('ERR_TIMEOUT', `did not end within ${limits.timeout} ms`, result)
  if (oomKilled) return new ProcessError('ERR_OOM', 'was ended by its memory limit', result)
  if (signal !== null) return new ProcessError('ERR_SIGNAL', `was ended by ${signal}`, result)
  if (exitCode !== 0)
    return new ProcessError('ERR_EXIT', `ended with exit code ${exitCode ?? 'unknown'}`, result)
  return undefined
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)!.trim().slice(0, 200)
}
