/** `linux.timeOffsets`. */
import type { Report } from '../report.ts'
import { makes, type Config } from './platform.ts'

export function timeOffsets(config: Config, report: Report): void {
  const offsets = config.linux?.timeOffsets
  if (!offsets) return
  for (const [clock, offset] of Object.entries(offsets)) {
    if (clock !== 'monotonic' && clock !== 'boottime') {
      report.runnable(`linux.timeOffsets.${clock}`, 'unknown clock: expected monotonic or boottime')
    } else if (offset && Number(offset.nanosecs ?? 0) >= 1e9) {
      report.wrong(`linux.timeOffsets.${clock}.nanosecs`, offset.nanosecs, 'below 1000000000')
    }
  }
  if (Object.keys(offsets).length > 0 && !makes(config, 'time') && !report.isBroken('linux.namespaces')) {
    report.error(
      'linux.timeOffsets',
      'needs a new "time" namespace: one that is joined or inherited has its offsets already',
    )
  }
}
