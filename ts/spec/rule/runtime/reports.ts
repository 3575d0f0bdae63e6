/** Rules for `state` and `features`. */
import type { RuntimeFeatures, RuntimeState } from '../../runtime/index.ts'
import type { Report, Sound } from '../report.ts'
import { isSemver } from './version.ts'

const STATUSES = ['creating', 'created', 'running', 'stopped']

export function state({ ociVersion, id, status, pid, bundle }: Sound<RuntimeState>, report: Report): void {
  // COMPAT(crun): it writes 1.0.
  if (ociVersion && !isSemver(ociVersion))
    report.strictly('ociVersion', ociVersion, 'a SemVer version such as "1.3.0"')
  if (id === '') report.wrong('id', id, 'the id of the container')
  // Runtimes may have more, and every one has `paused`.
  if (typeof status === 'string' && !STATUSES.includes(status))
    report.strictly('status', status, `one of ${STATUSES.join(', ')}`)
  if ((status === 'created' || status === 'running') && !pid && !report.isBroken('pid')) {
    report.warn('pid', `is required on Linux while the container is ${status}`)
  }
  if (bundle !== undefined && bundle !== null && !bundle.startsWith('/'))
    report.warn('bundle', 'is not an absolute path')
}

export function features({ ociVersionMin, ociVersionMax }: Sound<RuntimeFeatures>, report: Report): void {
  for (const [name, version] of [
    ['ociVersionMin', ociVersionMin],
    ['ociVersionMax', ociVersionMax],
  ] as const) {
    if (version && !isSemver(version)) report.wrong(name, version, 'a SemVer version such as "1.3.0"')
  }
}
