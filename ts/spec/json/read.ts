/** Parses JSON with the engine's own parser, proves that nothing was lost, and otherwise uses the scanner. */
import type { SpecIssue } from '../../errors.ts'
import { Census } from './census.ts'
import { decode } from './decode.ts'
import { scan } from './scan.ts'

/** Limits of a document. */
export interface JsonLimits {
  /** Size in bytes; default 4 MiB, as in registries. */
  maxBytes?: number | undefined
  /** Nesting of arrays and objects; default 127, as in the native core. */
  maxDepth?: number | undefined
}

export const MAX_BYTES: number = 4 << 20
export const MAX_DEPTH = 127

export interface Read {
  /** Undefined if `issues` contains a syntax error. */
  value: unknown
  text: string
  issues: SpecIssue[]
  /** False if it certainly has no null. */
  hasNull: boolean
  /** Whether it contains a {@link JsonNumber}. */
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
 * The number of keys in the source: colons after a quote, which includes some colons inside strings (`"a\":"`) but
 * never misses a key. So if an object tree has this many members, no key was lost; otherwise the scanner checks.
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

/** Integers written as `1.0` or `1e3`, which the value does not show; inside a string they only cost time. */
const DISGUISED = /[:,[\s]-?\d+(?:\.\d*[eE]|[eE]|\.0+[,\]}\s])/
const SURROGATE = /\\u[dD][89a-fA-F]/

function needsScan(text: string, unchecked: boolean): boolean {
  return DISGUISED.test(text) || SURROGATE.test(text) || (unchecked && !text.isWellFormed())
}
