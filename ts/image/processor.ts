/** The variant of this machine's processor, as named by the image specification. */
import { readFileSync } from 'node:fs'
import { hostPlatform, type ExactPlatform } from './platform.ts'

/** Flags that each level adds (x86-64 psABI, "Micro-Architecture Levels"), under Linux's names. */
const LEVELS: readonly (readonly string[])[] = [
  ['cx16', 'lahf_lm', 'popcnt', 'pni', 'sse4_1', 'sse4_2', 'ssse3'],
  ['abm', 'avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'movbe', 'xsave'],
  ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'],
]

/** `v1` to `v4` for amd64, from the content of /proc/cpuinfo; undefined for other architectures. */
export function variantOf(architecture: string, cpuinfo: string): string | undefined {
  if (architecture !== 'amd64') return undefined
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(' '))
  const missing = LEVELS.findIndex((level) => level.some((flag) => !flags.has(flag)))
  return `v${(missing < 0 ? LEVELS.length : missing) + 1}`
}

let known: ExactPlatform | undefined

/** The platform of this process, with the variant if /proc/cpuinfo tells it. */
export function thisMachine(): ExactPlatform {
  if (known) return known
  const platform = hostPlatform()
  let cpuinfo = ''
  try {
    cpuinfo = readFileSync('/proc/cpuinfo', 'latin1')
  } catch {
    // no /proc: nothing beyond the architecture
  }
  return (known = { ...platform, variant: variantOf(platform.architecture, cpuinfo) ?? platform.variant })
}
