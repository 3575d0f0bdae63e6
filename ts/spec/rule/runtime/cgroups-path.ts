/** `linux.cgroupsPath`: a directory below the top of every hierarchy. */
import type { Report } from '../report.ts'
import type { Config } from './platform.ts'

const AT = 'linux.cgroupsPath'

export function cgroupsPath(config: Config, report: Report): void {
  const path = config.linux?.cgroupsPath
  if (!path) return
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (path.includes('\0') || path.includes('\n')) report.runnable(AT, 'must not hold a NUL or a newline')
  else if (parts.length === 0) report.runnable(AT, 'must name a cgroup below the top')
  else if (parts.includes('..')) report.runnable(AT, 'must not contain ".."')
}
