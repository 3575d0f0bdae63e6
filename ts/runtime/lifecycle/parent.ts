/** The option `parent`: containers end with another process than this one, as the runner of this test worker. */
import { SpecError } from '../../errors.ts'
import { engine } from '../../native/engine.ts'
import { startTimeOf, type Owner } from './owner.ts'

/** Throws `ERR_INVALID_OPTION`. */
export function parentOf(pid: number | undefined, detached: boolean): Owner | undefined {
  if (pid === undefined) return undefined
  const refuse = (message: string): SpecError =>
    new SpecError('ERR_INVALID_OPTION', 'options', [{ path: 'parent', message }])
  if (detached) throw refuse('conflicts with detached: a detached container ends with no process')
  const startTime = startTimeOf(pid)
  if (startTime === undefined) throw refuse(`no process ${pid}`)
  return { pid, startTime }
}

/** Calls `end` once `parent` is gone. Does not keep Node alive. Returns how to stop. */
export function followParent(parent: Owner, end: () => void): () => void {
  let stopped = false
  let handle: number | undefined
  const follow = async (): Promise<void> => {
    handle = await engine().watchProcess(parent.pid, parent.startTime)
    if (stopped) return engine().release(handle)
    await engine().exited(handle)
  }
  // One that cannot be watched must not be outlived either.
  const ended = (): void => void (stopped || end())
  void follow().then(ended, ended)
  return () => {
    stopped = true
    if (handle !== undefined) engine().release(handle)
  }
}
