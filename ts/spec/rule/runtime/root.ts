/** `root`. */
import type { Report } from '../report.ts'
import { isLinux, type Config } from './platform.ts'

export function root(config: Config, report: Report): void {
  if (config.root === undefined || config.root === null) {
    if (isLinux(config) && !report.isBroken('root'))
      report.error('root', 'is required on Linux', { allowed: 'an object' })
    return
  }
  const { path } = config.root
  if (path === '') report.wrong('root.path', path, 'a path')
  if (path?.includes('\0')) report.error('root.path', 'must not hold a NUL', { found: path })
}
