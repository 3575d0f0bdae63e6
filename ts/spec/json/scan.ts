/**
 * A JSON parser that loses nothing and knows positions: exact numbers, duplicate keys, lone surrogates, depth. It is
 * slower than the engine's own, so `read.ts` uses it only if that is inconclusive, or to explain an error.
 */
import { MAX_ISSUES, type SpecIssue } from '../../errors.ts'
import { show } from '../show.ts'
import { numberOf } from './number.ts'
import { formatPath } from './path.ts'
import { Lines } from './position.ts'

export interface Scanned {
  /** Undefined if the source is not JSON. */
  value: unknown
  /**
   * Duplicate keys, lone surrogates, and the first syntax error; the scan stops at the last of {@link MAX_ISSUES}.
   */
  issues: SpecIssue[]
  /** Whether the value contains a {@link JsonNumber}. */
  hasTexts: boolean
}

/** Visits every value with its key or index (undefined for the document itself) and offset, before its children. */
export interface Visitor {
  enter(key: string | number | undefined, offset: number): void
  leave(): void
}

export function scan(text: string, maxDepth: number, visitor?: Visitor): Scanned {
  const scanner = new Scanner(text, maxDepth, visitor)
  try {
    const value = scanner.document()
    return { value, issues: scanner.issues, hasTexts: scanner.hasTexts }
  } catch (error) {
    if (!(error instanceof Stop)) throw error
    return { value: undefined, issues: scanner.issues, hasTexts: false }
  }
}

/** Stops a scan whose error is already recorded. */
class Stop extends Error {}

const ESCAPES: Record<string, string> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const PLAIN = /[ !\x23-\x5b\x5d-\uffff]*/y
const SPACE = /[ \t\n\r]*/y

class Scanner {
  readonly issues: SpecIssue[] = []
  hasTexts = false
  readonly #text: string
  readonly #maxDepth: number
  readonly #visitor: Visitor | undefined
  readonly #lines: Lines
  /** Keys and indexes from the document to the current value. They are formatted as a path only for messages. */
  readonly #keys: (string | number)[] = []
  #at = 0
  #depth = 0

  constructor(text: string, maxDepth: number, visitor: Visitor | undefined) {
    this.#text = text
    this.#maxDepth = maxDepth
    this.#visitor = visitor
    this.#lines = new Lines(text)
  }

  document(): unknown {
    if (this.#text.startsWith('\ufeff'))
      this.#stop('begins with a byte order mark, which JSON does not allow')
    const value = this.#value(undefined)
    this.#space()
    if (this.#at < this.#text.length) this.#unexpected('the end of the document')
    return value
  }

  #value(key: string | number | undefined): unknown {
    this.#space()
    this.#visitor?.enter(key, this.#at)
    const value = this.#read()
    this.#visitor?.leave()
    return value
  }

  #read(): unknown {
    switch (this.#text[this.#at]) {
      case '{':
        return this.#nested(() => this.#object())
      case '[':
        return this.#nested(() => this.#array())
      case '"':
        return this.#string()
      case 't':
        return this.#literal('true', true)
      case 'f':
        return this.#literal('false', false)
      case 'n':
        return this.#literal('null', null)
      default:
        return this.#number()
    }
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1
    if (this.#depth > this.#maxDepth) this.#stop(`is nested deeper than ${this.#maxDepth} levels`)
    this.#at += 1
    const value = read()
    this.#depth -= 1
    return value
  }

  #object(): Record<string, unknown> {
    const object: Record<string, unknown> = {}
    this.#space()
    if (this.#take('}')) return object
    for (;;) {
      this.#space()
      const start = this.#at
      if (this.#text[start] !== '"') this.#unexpected('a name in double quotes')
      const name = this.#string()
      this.#keys.push(name)
      if (Object.hasOwn(object, name)) this.#report(`duplicate key ${show(name)}`, start)
      this.#space()
      if (!this.#take(':')) this.#unexpected('a colon after the name')
      const value = this.#value(name)
      this.#keys.pop()
      // SECURITY: `__proto__` is an ordinary key here, never the prototype.
      if (name === '__proto__') {
        Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
      } else object[name] = value
      this.#space()
      if (this.#take('}')) return object
      if (!this.#take(',')) this.#unexpected('a comma or the end of the object')
    }
  }

  #array(): unknown[] {
    const array: unknown[] = []
    this.#space()
    if (this.#take(']')) return array
    for (;;) {
      this.#keys.push(array.length)
      array.push(this.#value(array.length))
      this.#keys.pop()
      this.#space()
      if (this.#take(']')) return array
      if (!this.#take(',')) this.#unexpected('a comma or the end of the list')
    }
  }

  #string(): string {
    const start = this.#at
    this.#at += 1
    let value = ''
    for (;;) {
      value += this.#match(PLAIN)
      const next = this.#text[this.#at]
      if (next === '"') break
      if (next !== '\\') {
        if (next === undefined) this.#stop('ends inside a text')
        this.#stop(`holds the control character ${JSON.stringify(next)} in a text; it must be escaped`)
      }
      value += this.#escape()
    }
    this.#at += 1
    if (!value.isWellFormed()) this.#report('holds a lone surrogate, which no UTF-8 text can hold', start)
    return value
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? ''
    const hex = this.#text.slice(this.#at + 2, this.#at + 6)
    if (letter === 'u' && /^[\dA-Fa-f]{4}$/.test(hex)) {
      this.#at += 6
      return String.fromCharCode(parseInt(hex, 16))
    }
    const value = ESCAPES[letter]
    if (value === undefined) this.#stop(`holds the unknown escape ${JSON.stringify(`\\${letter}`)} in a text`)
    this.#at += 2
    return value
  }

  #number(): unknown {
    const text = this.#match(NUMBER)
    if (text === '') this.#unexpected('a value')
    const value = numberOf(text)
    if (typeof value === 'object') this.hasTexts = true
    return value
  }

  #literal<T>(literal: string, value: T): T {
    if (!this.#text.startsWith(literal, this.#at)) this.#unexpected('a value')
    this.#at += literal.length
    return value
  }

  #space(): void {
    this.#match(SPACE)
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const [found] = pattern.exec(this.#text) ?? ['']
    this.#at += found.length
    return found
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  #unexpected(wanted: string): never {
    const next = this.#text.codePointAt(this.#at)
    const found = next === undefined ? 'the end of it' : JSON.stringify(String.fromCodePoint(next))
    this.#stop(`is not valid JSON: ${wanted} is expected here, not ${found}`)
  }

  #report(message: string, offset: number): void {
    const position = this.#lines.positionOf(offset)
    this.issues.push({ path: formatPath(this.#keys), message, kind: 'json', ...position })
    if (this.issues.length > MAX_ISSUES) throw new Stop()
  }

  #stop(message: string): never {
    this.#report(message, this.#at)
    throw new Stop()
  }
}
