/** Which of several images fits this machine: architecture words, variants and their order. */

/** As in an image index, as far as it decides. */
export interface Platform {
  os: string
  architecture: string
  variant?: string | undefined
}

/** With the default variant filled in; `''` where the architecture has none. */
export interface ExactPlatform extends Platform {
  variant: string
}

const ARCHITECTURES: Record<string, [architecture: string, variant?: string]> = {
  x64: ['amd64'],
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
  i386: ['386'],
  ia32: ['386'],
  ppc64: ['ppc64le'], // Node's word on Linux, where only the little-endian one exists
}

/** What an architecture means where no variant is given. */
const DEFAULT_VARIANT: Record<string, string> = { amd64: 'v1', arm: 'v7', arm64: 'v8' }

/** The same platform in the words of the specification. */
export function normalizePlatform({ os, architecture, variant }: Platform): ExactPlatform {
  const [name, implied] = ARCHITECTURES[architecture.toLowerCase()] ?? [architecture.toLowerCase()]
  const digits = variant && /^[0-9.]+$/.test(variant) ? `v${variant}` : variant?.toLowerCase()
  return {
    os: os.toLowerCase(),
    architecture: name,
    variant: digits || implied || DEFAULT_VARIANT[name] || '',
  }
}

/** `linux/arm64/v8` and its like. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform
  return [os, architecture, variant].filter(Boolean).join('/')
}

/** `os/architecture[/variant]`, or undefined. */
export function parsePlatform(text: string): Platform | undefined {
  const [os, architecture, variant, ...rest] = text.split('/')
  if (!os || !architecture || rest.length > 0) return undefined
  return { os, architecture, variant }
}

/** The platform of this process. */
export function hostPlatform(): ExactPlatform {
  return normalizePlatform({ os: 'linux', architecture: process.arch })
}

/**
 * How well `candidate` runs on `wanted`: 0 not at all, otherwise the higher the better. A machine runs older variants of
 * its architecture, and an arm64 machine also arm.
 */
export function platformRank(candidate: Platform, wanted: Platform): number {
  const offered = normalizePlatform(candidate)
  const host = normalizePlatform(wanted)
  if (offered.os !== host.os) return 0
  if (offered.architecture === 'arm' && host.architecture === 'arm64') {
    return 1 + version(offered.variant) // below every arm64
  }
  if (offered.architecture !== host.architecture) return 0
  if (offered.variant === host.variant) return 1e6
  const [available, limit] = [version(offered.variant), version(host.variant)]
  return available > 0 && available < limit ? 1000 + available : 0
}

/** `v8.1` is 801, so that variants compare. */
function version(variant: string): number {
  const match = /^v(\d+)(?:\.(\d+))?$/.exec(variant)
  return match ? Number(match[1]) * 100 + Number(match[2] ?? 0) : 0
}
