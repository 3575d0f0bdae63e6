/** Reads JSON with the engine's own parser, proves that nothing was lost, and uses the scanner where it cannot. */
import type { SpecIssue } from '../../errors.ts'
import { Census } from './census.ts'
import { decode } from './decode.ts'
import { scan } from './scan.ts'

/** How much a document may be. */
export interface JsonLimits {
  /** Bytes; 4 MiB, as registries take. */
  maxBytes?: number | undefined
  /** Levels of lists and objects; 127, as the native core takes. */
  maxDepth?: number | undefined
}

export const MAX_BYTES: number = 4 << 20
export const MAX_DEPTH = 127

export interface Read {
  /** Undefined where `issues` has an error of syntax. */
  value: unknown
  text: string
  issues: SpecIssue[]
  /** False where it certainly has no null. */
  hasNull: boolean
  /** Whether it holds a {@link JsonNumber}. */
  hasTexts: boolean
}

export function readJson(input: string | Uint8Array, limits: JsonLimits = {}): Read {
  const { text, issues } = decode(input, limits.maxBytes ?? MAX_BYTES)
  if (issues.length > 0) return failed(text, issues)
  const maxDepth = limits.maxDepth ?? MAX_DEPTH
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const scanned = scan(text, maxDepth)
    if (scanned.issues.length > 0) return failed(text, scanned.issues)
    const message = `is not valid JSON: ${(error as Error).message}`
    return failed(text, [{ path: '', message, kind: 'json' }])
  }
  const census = new Census(maxDepth)
  census.count(value)
  if (census.exact && census.members === membersOf(text) && !needsScan(text, typeof input === 'string')) {
    return { value, text, issues: [], hasNull: census.nulls > 0, hasTexts: false }
  }
  return { ...scan(text, maxDepth), text, hasNull: true }
}

function failed(text: string, issues: SpecIssue[]): Read {
  return { value: undefined, text, issues, hasNull: false, hasTexts: false }
}

/**
 * Names in the text: colons with a quote before them, which counts some colons inside texts too (`"a\":"`) but never too
 * few. So if an object tree has as many members as this, no name was lost, and otherwise the scanner looks.
 */
function membersOf(text: string): number {
  let count = 0
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) {
    let before = at - 1
    while (isSpace(text.charCodeAt(before))) before -= 1
    if (text.charCodeAt(before) === 0x22) count += 1
  }
  return count
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09

/** Whole numbers written as `1.0` or `1e3`, which the value does not show; inside a text they only cost time. */
const DISGUISED = /[:,[\s]-?\d+(?:\.\d*[eE]|[eE]|\.0+[,\]}\s])/
const SURROGATE = /\\u[dD][89a-fA-F]/

function needsScan(text: string, unchecked: boolean): boolean {
  return DISGUISED.test(text) || SURROGATE.test(text) || (unchecked && !text.isWellFormed())
}
