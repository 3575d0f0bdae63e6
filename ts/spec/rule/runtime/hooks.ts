/** `hooks`. */
import { HOOKS } from '../../runtime/names.ts'
import { each, type Report } from '../report.ts'
import type { Config } from './platform.ts'

export function hooks(config: Config, report: Report): void {
  for (const list of HOOKS) {
    for (const [index, { path, timeout }] of each(config.hooks?.[list])) {
      const at = `hooks.${list}[${index}]`
      if (typeof path === 'string' && !path.startsWith('/'))
        report.wrong(`${at}.path`, path, 'an absolute path')
      if (timeout && timeout > 0xffff_ffff)
        report.runnable(`${at}.timeout`, 'must be at most 4294967295 seconds')
    }
  }
  if (config.hooks?.prestart?.length) {
    report.warn('hooks.prestart', 'is deprecated: use createRuntime, createContainer or startContainer')
  }
}
