/** Descriptors, wherever they stand. */
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
 * SECURITY: what is embedded is used instead of what the digest names, so it must be the same. A lenient reader is warned,
 * as whoever uses the content verifies it, embedded or not.
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

/** Words that become parts of `os/architecture/variant`. */
const WORD = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/

export function platform(platform: Sound<Platform> | null | undefined, at: string, report: Report): void {
  if (!platform) return
  for (const name of ['os', 'architecture', 'variant'] as const) {
    const word = platform[name]
    if (typeof word !== 'string' || WORD.test(word)) continue
    const path = at === '' ? name : `${at}.${name}`
    report.strictly(path, word, 'a word of letters, digits, _ . + -')
  }
}
