/** `process.rlimits`. */
import { each, type Report } from '../report.ts'
import { isLinux, type Config } from './platform.ts'

/** setrlimit(2). */
const KNOWN = new Set(
  'CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME'.split(
    ' ',
  ),
)

export function rlimits(config: Config, report: Report): void {
  const seen = new Set<string>()
  for (const [index, { type, soft, hard }] of each(config.process?.rlimits)) {
    const at = `process.rlimits[${index}]`
    if (type && isLinux(config) && !KNOWN.has(type.replace(/^RLIMIT_/, ''))) {
      report.error(`${at}.type`, `unknown resource limit ${JSON.stringify(type)}`, { found: type })
    } else if (type && seen.has(type)) report.error(at, `a second ${type}`, { found: type })
    else if (soft !== undefined && hard !== undefined && soft !== null && hard !== null && soft > hard) {
      report.error(`${at}.soft`, `${soft} is above the hard limit ${hard}`, {
        found: soft,
        allowed: `at most ${hard}`,
      })
    }
    if (type) seen.add(type)
  }
}
