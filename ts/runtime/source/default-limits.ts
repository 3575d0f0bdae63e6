/** Resource limits of a configuration that we compose: what the caller may not have, a default does not ask for. */
import { readFileSync } from 'node:fs'
import type { RuntimeSpec } from '../../spec/index.ts'

/** The hard limit on open files of this process; `undefined` where it is unlimited. */
function openFiles(): number | undefined {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  const hard = /^Max open files +\S+ +(\d+)/m.exec(limits)?.[1]
  return hard === undefined ? undefined : Number(hard)
}

/** The same configuration whose RLIMIT_NOFILE is at most the caller's hard limit: raising it takes CAP_SYS_RESOURCE. */
export function boundLimits(spec: RuntimeSpec): RuntimeSpec {
  const most = openFiles()
  for (const limit of spec.process?.rlimits ?? []) {
    if (limit.type !== 'RLIMIT_NOFILE' || most === undefined) continue
    if (Number(limit.hard) > most) limit.hard = most
    if (Number(limit.soft) > most) limit.soft = most
  }
  return spec
}
