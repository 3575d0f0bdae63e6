/** `linux.personality`. */
import type { Report } from '../report.ts'
import type { Config } from './platform.ts'

export function personality(config: Config, report: Report): void {
  const personality = config.linux?.personality
  if (personality && !personality.domain && !report.isBroken('linux.personality.domain')) {
    report.wrong('linux.personality.domain', undefined, 'one of LINUX, LINUX32')
  }
  if (personality?.flags?.length) {
    report.runnable('linux.personality.flags', 'the specification supports no flags')
  }
}
