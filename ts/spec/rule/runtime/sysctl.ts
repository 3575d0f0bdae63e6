/**
 * `linux.sysctl`: only keys of the container's own namespaces; any other would change the host.
 */
import type { Report } from '../report.ts'
import { namespace, type Config } from './platform.ts'

const IPC =
  /^(?:kernel\/(?:msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced|shm_next_id)$|fs\/mqueue\/)/

/** As sysctl(8): the first of `.` and `/` is the separator, the other one is part of a name. */
function normalised(key: string): string {
  const first = /[./]/.exec(key)?.[0]
  return first === '.' ? key.replace(/[./]/g, (c) => (c === '.' ? '/' : '.')) : key
}

export function sysctl(config: Config, report: Report): void {
  for (const [key, value] of Object.entries(config.linux?.sysctl ?? {})) {
    const problem = problemOf(normalised(key), value, config, report)
    if (problem) report.error(`linux.sysctl[${JSON.stringify(key)}]`, problem)
  }
}

function problemOf(path: string, value: unknown, config: Config, report: Report): string | undefined {
  const needs = (type: string): string | undefined =>
    namespace(config, type) || report.isBroken('linux.namespaces')
      ? undefined
      : `needs a ${JSON.stringify(type)} namespace of the container's own`
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    return 'is not a name below /proc/sys'
  }
  if (IPC.test(path)) return needs('ipc')
  if (path.startsWith('net/')) return needs('network')
  if (path.startsWith('user/')) return needs('user')
  if (path === 'kernel/hostname') return 'is what the property hostname is for'
  if (path !== 'kernel/domainname') return 'belongs to no namespace: it would change the host'
  return config.domainname && config.domainname !== value
    ? 'conflicts with domainname; set only one'
    : needs('uts')
}
