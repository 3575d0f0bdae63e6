/** Matches images to machines: architecture names, variants and their order. */

/** As in an image index (image-index.md, `platform`): the fields that decide. */
export interface PlatformLike {
  os: string
  architecture: string
  variant?: string | undefined
  'os.version'?: string | undefined
  'os.features'?: readonly string[] | null | undefined
}

/** With the default variant filled in; `''` for an architecture without variants. */
export interface ExactPlatform extends PlatformLike {
  variant: string
}

const ARCHITECTURES = new Map<string, [architecture: string, variant?: string]>([
  ['x64', ['amd64']],
  ['x86_64', ['amd64']],
  ['x86-64', ['amd64']],
  ['aarch64', ['arm64']],
  ['armhf', ['arm', 'v7']],
  ['armel', ['arm', 'v6']],
  ['i386', ['386']],
  ['i686', ['386']],
  ['ia32', ['386']],
  ['ppc64', ['ppc64le']], // Node's name on Linux, where only the little-endian one exists
])

/** The default variant of an architecture. */
const DEFAULT_VARIANT = new Map([
  ['amd64', 'v1'],
  ['arm', 'v7'],
  ['arm64', 'v8'],
])

/** The same platform with the names of the specification. */
export function normalizePlatform({ os, architecture, variant }: PlatformLike): ExactPlatform {
  const [name, implied] = ARCHITECTURES.get(architecture.toLowerCase()) ?? [architecture.toLowerCase()]
  const digits = variant && /^[0-9.]+$/.test(variant) ? `v${variant}` : variant?.toLowerCase()
  return {
    os: os.toLowerCase(),
    architecture: name,
    variant: digits || implied || DEFAULT_VARIANT.get(name) || '',
  }
}

/** `linux/arm64/v8`. */
export function formatPlatform(platform: PlatformLike): string {
  const { os, architecture, variant } = platform
  return [os, architecture, variant].filter(Boolean).join('/')
}

/** Parses `os/architecture[/variant]`, or returns undefined. */
export function parsePlatform(text: string): PlatformLike | undefined {
  const [os, architecture, variant, ...rest] = text.split('/')
  if (!os || !architecture || rest.length > 0) return undefined
  return { os, architecture, variant }
}

/** The platform of this process. */
export function hostPlatform(): ExactPlatform {
  return normalizePlatform({ os: 'linux', architecture: process.arch })
}

/**
 * How well `candidate` runs on `wanted`: 0 not at all, otherwise the higher the better. A machine runs older variants
 * of its architecture, and an arm64 machine also arm. On Windows the build must be equal, and every feature present.
 */
export function platformRank(candidate: PlatformLike, wanted: PlatformLike): number {
  const offered = normalizePlatform(candidate)
  const host = normalizePlatform(wanted)
  if (offered.os !== host.os || !fitsSystem(candidate, wanted)) return 0
  if (offered.architecture === 'arm' && host.architecture === 'arm64') {
    return 1 + age('arm', offered.variant) // below every arm64
  }
  if (offered.architecture !== host.architecture) return 0
  if (offered.variant === host.variant) return 1e6
  const available = age(host.architecture, offered.variant)
  return available > 0 && available < age(host.architecture, host.variant) ? 1000 + available : 0
}

/** Whether `candidate` runs on `wanted`. */
export function matchesPlatform(candidate: PlatformLike, wanted: PlatformLike): boolean {
  return platformRank(candidate, wanted) > 0
}

/** An absent value is not compared. */
function fitsSystem(candidate: PlatformLike, wanted: PlatformLike): boolean {
  const features = wanted['os.features'] ?? []
  const lacks = candidate['os.features']?.some((feature) => !features.includes(feature)) ?? false
  const [needed, given] = [candidate['os.version'], wanted['os.version']]
  return !lacks && (!needed || !given || build(needed) === build(given))
}

/** `10.0.14393.1066`: the last number is a patch level. */
const build = (version: string): string => version.split('.').slice(0, 3).join('.')

/** The order of the specification where a number does not determine it (image-index.md, "Platform Variants"). */
const ORDERED = new Map([
  ['ppc64le', ['power8', 'power9', 'power10']],
  ['riscv64', ['rva20u64', 'rva22u64', 'rva23u64']],
])

/** A number to compare variants by; `v8.1` is 801, and 0 is a variant that cannot be compared. */
function age(architecture: string, variant: string): number {
  const ordered = ORDERED.get(architecture)
  if (ordered) return ordered.indexOf(variant) + 1
  const match = /^v(\d+)(?:\.(\d+))?$/.exec(variant)
  return match ? Number(match[1]) * 100 + Number(match[2] ?? 0) : 0
}
