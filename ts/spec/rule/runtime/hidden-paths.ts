/** `linux.maskedPaths` and `linux.readonlyPaths`. */
import { each, type Report } from '../report.ts'
import type { Config } from './platform.ts'

export function hiddenPaths(config: Config, report: Report): void {
  for (const name of ['maskedPaths', 'readonlyPaths'] as const) {
    for (const [index, path] of each(config.linux?.[name])) {
      if (!path.startsWith('/')) report.strictly(`linux.${name}[${index}]`, path, 'an absolute path')
    }
  }
}
