/**
 * Digests of registered algorithms (descriptor.md, "Registered Algorithms"); for others only the grammar is checked.
 */
import type { Report } from '../report.ts'

/** Number of hexadecimal digits. */
const LENGTHS: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128, blake3: 64 }

export function digest(text: string | null | undefined, at: string, report: Report): void {
  if (text === undefined || text === null) return
  const colon = text.indexOf(':')
  const [algorithm, encoded] = [text.slice(0, colon), text.slice(colon + 1)]
  const length = Object.hasOwn(LENGTHS, algorithm) ? LENGTHS[algorithm] : undefined
  if (length !== undefined && (encoded.length !== length || !/^[a-f0-9]*$/.test(encoded))) {
    report.wrong(at, text, `${algorithm}: and ${length} digits of 0-9a-f`)
  }
}
