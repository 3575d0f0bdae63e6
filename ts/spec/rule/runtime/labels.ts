/** `process.apparmorProfile`, `process.selinuxLabel` and `linux.mountLabel`. */
import type { Report } from '../report.ts'
import type { Config } from './platform.ts'

export function labels(config: Config, report: Report): void {
  for (const [path, label] of [
    ['process.apparmorProfile', config.process?.apparmorProfile],
    ['process.selinuxLabel', config.process?.selinuxLabel],
    ['linux.mountLabel', config.linux?.mountLabel],
  ] as const) {
    // A quotation mark would end the value among the options of a mount.
    if (label && /[\0\n"]/.test(label)) {
      report.runnable(path, 'must not hold a NUL, a newline or a quotation mark')
    }
  }
}
