/** Image configurations. */
import { DIGEST_REGEXP_ANCHORED } from '../../../digest/grammar.ts'
import type { ImageConfig, ImageExecution } from '../../image/index.ts'
import { childPath } from '../../json/path.ts'
import { show } from '../../show.ts'
import { each, type Report, type Sound } from '../report.ts'
import { annotations, platform } from './descriptor.ts'
import { digest } from './digest.ts'

export function imageConfig(document: Sound<ImageConfig>, report: Report): void {
  platform(document as never, '', report)
  for (const [index, id] of each(document.rootfs?.diff_ids)) {
    const at = `rootfs.diff_ids[${index}]`
    if (!DIGEST_REGEXP_ANCHORED.test(id)) report.wrong(at, id, 'a digest such as sha256:…')
    else digest(id, at, report)
  }
  history(document, report)
  if (document.config) execution(document.config, report)
}

/** Many images violate this, so it is a warning. */
function history(document: Sound<ImageConfig>, report: Report): void {
  const layers = document.rootfs?.diff_ids?.length
  const entries = document.history
  if (!entries?.length || layers === undefined || report.isBroken('history')) return
  const filled = each(entries).filter(([, { empty_layer: empty }]) => !empty).length
  if (filled !== layers) report.warn('history', `has ${filled} layers, but rootfs.diff_ids has ${layers}`)
}

function execution(config: Sound<ImageExecution>, report: Report): void {
  for (const [index, text] of each(config.Env)) {
    if (!text.includes('=', 1)) report.strictly(`config.Env[${index}]`, text, 'NAME=value')
  }
  for (const port of Object.keys(config.ExposedPorts ?? {})) {
    const at = childPath('config.ExposedPorts', port)
    if (!isPort(port)) report.warn(at, `invalid port ${show(port)}: expected port, port/tcp or port/udp`)
  }
  if (config.WorkingDir && !config.WorkingDir.startsWith('/')) {
    report.warn('config.WorkingDir', `${show(config.WorkingDir)} is relative: it is resolved from /`)
  }
  if (config.User && !/^[^:\s]*(?::[^:\s]+)?$/.test(config.User)) {
    report.warn(
      'config.User',
      `invalid user ${show(config.User)}: expected user, uid, user:group, uid:gid, uid:group or user:gid`,
    )
  }
  if (config.StopSignal && !/^SIG(?:[A-Z0-9]+|RTM(?:IN\+|AX-)\d+)$/.test(config.StopSignal)) {
    report.warn(
      'config.StopSignal',
      `invalid signal ${show(config.StopSignal)}: expected a name such as SIGTERM or SIGRTMIN+3`,
    )
  }
  annotations(config.Labels, 'config.Labels', report)
}

function isPort(text: string): boolean {
  const match = /^(\d{1,5})(?:\/(?:tcp|udp))?$/.exec(text)
  return match !== null && Number(match[1]) >= 1 && Number(match[1]) <= 65535
}
