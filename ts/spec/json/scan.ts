/**
 * A JSON reader that loses nothing and knows where it is: exact numbers, names that stand twice, lone surrogates, depth.
 * Slower than the engine's own, so `read.ts` calls it only where that cannot tell, or to say what is wrong.
 */
import type { SpecIssue } from '../../errors.ts'
import { numberOf } from './number.ts'
import { childPath } from './path.ts'
import { positionOf } from './position.ts'

export interface Scanned {
  /** Undefined where the text is no JSON. */
  value: unknown
  /** Every duplicate name and lone surrogate, and the first error of syntax. */
  issues: SpecIssue[]
  /** Whether the value holds a {@link JsonNumber}. */
  hasTexts: boolean
}

/** Reads all of `text`; `visit` sees every value's path and offset before the value is read. */
export function scan(
  text: string,
  maxDepth: number,
  visit?: (path: string, offset: number) => void,
): Scanned {
  const scanner = new Scanner(text, maxDepth, visit)
  try {
    const value = scanner.document()
    return { value, issues: scanner.issues, hasTexts: scanner.hasTexts }
  } catch (error) {
    if (!(error instanceof Stop)) throw error
    return { value: undefined, issues: scanner.issues, hasTexts: false }
  }
}

/** Ends a scan whose problem has been written down. */
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
  readonly #visit: ((path: string, offset: number) => void) | undefined
  #at = 0
  #depth = 0

  constructor(text: string, maxDepth: number, visit: ((path: string, offset: number) => void) | undefined) {
    this.#text = text
    this.#maxDepth = maxDepth
    this.#visit = visit
  }

  document(): unknown {
    if (this.#text.startsWith('\ufeff'))
      this.#stop('', 'begins with a byte order mark, which JSON does not allow')
    const value = this.#value('')
    this.#space()
    if (this.#at < this.#text.length) this.#unexpected('', 'the end of the document')
    return value
  }

  #value(path: string): unknown {
    this.#space()
    this.#visit?.(path, this.#at)
    switch (this.#text[this.#at]) {
      case '{':
        return this.#nested(path, () => this.#object(path))
      case '[':
        return this.#nested(path, () => this.#array(path))
      case '"':
        return this.#string(path)
      case 't':
        return this.#word(path, 'true', true)
      case 'f':
        return this.#word(path, 'false', false)
      case 'n':
        return this.#word(path, 'null', null)
      default:
        return this.#number(path)
    }
  }

  #nested<T>(path: string, read: () => T): T {
    this.#depth += 1
    if (this.#depth > this.#maxDepth) {
      this.#stop(path, `is nested deeper than ${this.#maxDepth} levels`)
    }
    this.#at += 1
    const value = read()
    this.#depth -= 1
    return value
  }

  #object(path: string): Record<string, unknown> {
    const object: Record<string, unknown> = {}
    this.#space()
    if (this.#take('}')) return object
    for (;;) {
      this.#space()
      const start = this.#at
      if (this.#text[start] !== '"') this.#unexpected(path, 'a name in double quotes')
      const name = this.#string(path)
      const inner = childPath(path, name)
      if (Object.hasOwn(object, name)) {
        this.#report(inner, `the name ${JSON.stringify(name)} stands twice in one object`, start)
      }
      this.#space()
      if (!this.#take(':')) this.#unexpected(inner, 'a colon after the name')
      const value = this.#value(inner)
      // SECURITY: `__proto__` is a name like any other here, never the prototype.
      if (name === '__proto__') {
        Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
      } else object[name] = value
      this.#space()
      if (this.#take('}')) return object
      if (!this.#take(',')) this.#unexpected(path, 'a comma or the end of the object')
    }
  }

  #array(path: string): unknown[] {
    const array: unknown[] = []
    this.#space()
    if (this.#take(']')) return array
    for (;;) {
      array.push(this.#value(childPath(path, array.length)))
      this.#space()
      if (this.#take(']')) return array
      if (!this.#take(',')) this.#unexpected(path, 'a comma or the end of the list')
    }
  }

  #string(path: string): string {
    const start = this.#at
    this.#at += 1
    let value = ''
    for (;;) {
      value += this.#match(PLAIN)
      const next = this.#text[this.#at]
      if (next === '"') break
      if (next !== '\\') {
        if (next === undefined) this.#stop(path, 'ends inside a text')
        this.#stop(path, `holds the control character ${JSON.stringify(next)} in a text; it must be escaped`)
      }
      value += this.#escape(path)
    }
    this.#at += 1
    if (!value.isWellFormed())
      this.#report(path, 'holds a lone surrogate, which no UTF-8 text can hold', start)
    return value
  }

  #escape(path: string): string {
    const letter = this.#text[this.#at + 1] ?? ''
    const hex = this.#text.slice(this.#at + 2, this.#at + 6)
    if (letter === 'u' && /^[\dA-Fa-f]{4}$/.test(hex)) {
      this.#at += 6
      return String.fromCharCode(parseInt(hex, 16))
    }
    const value = ESCAPES[letter]
    if (value === undefined)
      this.#stop(path, `holds the unknown escape ${JSON.stringify(`\\${letter}`)} in a text`)
    this.#at += 2
    return value
  }

  #number(path: string): unknown {
    const text = this.#match(NUMBER)
    if (text === '') this.#unexpected(path, 'a value')
    const value = numberOf(text)
    if (typeof value === 'object') this.hasTexts = true
    return value
  }

  #word<T>(path: string, word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#unexpected(path, 'a value')
    this.#at += word.length
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

  #unexpected(path: string, wanted: string): never {
    const next = this.#text.codePointAt(this.#at)
    const found = next === undefined ? 'the end of it' : JSON.stringify(String.fromCodePoint(next))
    this.#stop(path, `is not valid JSON: ${wanted} is expected here, not ${found}`)
  }

  #report(path: string, message: string, offset: number): void {
    this.issues.push({ path, message, kind: 'json', ...positionOf(this.#text, offset) })
  }

  #stop(path: string, message: string): never {
    this.#report(path, message, this.#at)
    throw new Stop()
  }
}
