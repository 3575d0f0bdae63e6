/** The platform of a configuration. */
import type { RuntimeSpec } from '../../runtime/index.ts'
import type { Sound } from '../report.ts'

export type Config = Sound<RuntimeSpec>

/** The rules of Linux apply unless there is a section for another platform. */
export function isLinux(config: Config): boolean {
  if (config.linux) return true
  return !config.windows && !config.solaris && !config.zos && !config.freebsd
}

/** Whether a namespace of the type exists, and whether it is created rather than joined. */
export function namespace(config: Config, type: string): { path: string } | undefined {
  const found = config.linux?.namespaces?.find((entry) => entry?.type === type)
  return found ? { path: found.path ?? '' } : undefined
}

export function makes(config: Config, type: string): boolean {
  return namespace(config, type)?.path === ''
}
