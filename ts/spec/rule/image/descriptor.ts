/** Descriptors, in any document. */
import type { Descriptor, Platform } from '../../image/index.ts'
import { each, type Report, type Sound } from '../report.ts'
import { digest } from './digest.ts'

export function descriptors(list: Sound<Descriptor[]> | null | undefined, at: string, report: Report): void {
  for (const [index, item] of each(list)) descriptor(item, `${at}[${index}]`, report)
}

export function descriptor(item: Sound<Descriptor> | null | undefined, at: string, report: Report): void {
  if (!item) return
  const path = (name: string): string => (at === '' ? name : `${at}.${name}`)
  digest(item.digest, path('digest'), report)
  data(item, path('data'), report)
  annotations(item.annotations, path('annotations'), report)
  platform(item.platform, path('platform'), report)
}

/**
 * SECURITY: embedded content replaces the blob, so it must be the same. The lenient mode only warns: content is
 * verified when it is used, embedded or not.
 */
function data({ data, size, digest }: Sound<Descriptor>, at: string, report: Report): void {
  if (typeof data !== 'string') return
  const content = Buffer.from(data, 'base64')
  if (typeof size === 'number' && content.length !== size) {
    report.strictOrWarn(at, `holds ${content.length} bytes, but size says ${size}`)
    return
  }
  const [algorithm = '', encoded] = digest?.split(':') ?? []
  if (!['sha256', 'sha384', 'sha512'].includes(algorithm)) return
  const { createHash } = process.getBuiltinModule('node:crypto')
  const found = createHash(algorithm).update(content).digest('hex')
  if (found !== encoded) report.strictOrWarn(at, `is not what digest names: it has ${algorithm}:${found}`)
}

export function annotations(
  map: Readonly<Record<string, unknown>> | null | undefined,
  at: string,
  report: Report,
): void {
  if (Object.keys(map ?? {}).includes('')) report.strictly(at, '', 'without an empty key')
}

/** A component of `os/architecture/variant`. */
const PART = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/

export function platform(platform: Sound<Platform> | null | undefined, at: string, report: Report): void {
  if (!platform) return
  for (const name of ['os', 'architecture', 'variant'] as const) {
    const part = platform[name]
    if (typeof part !== 'string' || PART.test(part)) continue
    const path = at === '' ? name : `${at}.${name}`
    report.strictly(path, part, 'a name of letters, digits, _ . + -')
  }
}
