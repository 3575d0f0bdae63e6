/** A process as more than its pid, which is used again. */
import { readFileSync } from 'node:fs'

/** A process, told apart from every other one of the same boot. */
export interface Owner {
  pid: number
  /** Clock ticks since boot, decimal. */
  startTime: string
}

/** Start time of a living process (proc_pid_stat(5), field 22); undefined for none and for a zombie. */
export function startTimeOf(pid: number): string | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name before may hold spaces and parentheses
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}
