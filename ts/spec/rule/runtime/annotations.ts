/** `annotations`. */
import type { Report } from '../report.ts'
import type { Config } from './platform.ts'

export function annotations(config: Config, report: Report): void {
  if (Object.keys(config.annotations ?? {}).includes(''))
    report.error('annotations', 'a key must not be empty')
}
