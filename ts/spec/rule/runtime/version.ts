/** `ociVersion`: SemVer. */
import type { Report } from '../report.ts'
import type { Config } from './platform.ts'

const SEMVER =
  /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/

/** Requirement of the lenient mode: two or three numbers, then anything. */
const CORE = /^\d+\.\d+(?:\.\d+)?(?:[-+]|$)/

export function isSemver(text: string): boolean {
  return SEMVER.test(text)
}

/** Any 1.x runs: a newer minor version adds properties, which are ignored if unknown. */
export function version({ ociVersion }: Config, report: Report): void {
  if (ociVersion === undefined || ociVersion === null) return
  if (!(report.strict ? SEMVER : CORE).test(ociVersion)) {
    report.wrong('ociVersion', ociVersion, 'a SemVer version such as "1.3.0"')
  } else if (!ociVersion.startsWith('1.')) {
    report.runnable('ociVersion', `${JSON.stringify(ociVersion)} is not supported; versions 1.x are`)
  }
}
