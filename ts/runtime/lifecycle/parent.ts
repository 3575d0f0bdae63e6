/** The option `parent`: containers end with another process than this one, as the runner of this test worker. */
import { SpecError } from '../../errors.ts'
import { isAlive, startTimeOf, type Owner } from './owner.ts'

/** Milliseconds between two looks. */
const INTERVAL = 500

const watched = new Map<() => void, Owner>()
let timer: NodeJS.Timeout | undefined

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
  watched.set(end, parent)
  timer ??= setInterval(look, INTERVAL).unref()
  return () => forget(end)
}

function look(): void {
  for (const [end, parent] of watched) {
    if (isAlive(parent)) continue
    forget(end)
    end()
  }
}

function forget(end: () => void): void {
  watched.delete(end)
  if (watched.size > 0) return
  clearInterval(timer)
  timer = undefined
}
