/** The callback for a container's system calls, and what becomes of its failures. */
import { constants } from 'node:os'
import { engine, type NativeSyscall } from '../../native/engine.ts'
import { isObject } from '../../options.ts'
import { SystemCall, type SystemCallAnswer } from './system-call.ts'

/** Decides about a call. It may take its time: the process waits, and other processes of the container do not. */
export type Notify = (call: SystemCall) => SystemCallAnswer | Promise<SystemCallAnswer>

/** What a call fails with whose callback has failed. */
const FAILED: SystemCallAnswer = { errno: constants.errno.EIO }

/** Answers the calls of a container until it is deleted. */
export function answerSystemCalls(
  containerId: string,
  handle: number,
  notify: Notify,
  warn: (message: string) => void,
): void {
  const answer = (call: NativeSyscall, value: SystemCallAnswer): void => {
    try {
      engine().answerSystemCall(containerId, handle, call.id, value)
    } catch (error) {
      warn(`seccomp.notify: ${(error as Error).message}`)
    }
  }
  const fail = (call: NativeSyscall, reason: unknown): void => {
    const text = reason instanceof Error ? reason.message : String(reason)
    warn(`seccomp.notify failed for ${call.name ?? call.number}, which fails with EIO: ${text}`)
    answer(call, FAILED)
  }
  engine().onSystemCall(handle, (call) => {
    // A callback that returns at once is answered at once.
    try {
      const value = notify(new SystemCall(containerId, handle, call))
      if (isPromise(value)) {
        value
          .then(
            (later) => answer(call, checked(later)),
            (reason: unknown) => fail(call, reason),
          )
          .catch((reason: unknown) => fail(call, reason))
      } else answer(call, checked(value))
    } catch (reason) {
      fail(call, reason)
    }
  })
}

function isPromise(value: unknown): value is Promise<SystemCallAnswer> {
  return isObject(value) && typeof value['then'] === 'function'
}

function checked(value: unknown): SystemCallAnswer {
  if (isObject(value) && ('errno' in value || 'value' in value || 'continue' in value))
    return value as unknown as SystemCallAnswer
  throw new TypeError('expected an answer such as call.continue()')
}
