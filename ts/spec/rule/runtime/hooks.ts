/** `hooks`. */
import { each, type Report } from '../report.ts'
import type { Config } from './platform.ts'

const LISTS = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const

export function hooks(config: Config, report: Report): void {
  for (const list of LISTS) {
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
