/** Numbers that a JavaScript number would change. */

/** A JSON number, not an integer, that no JavaScript number prints the same way: `1.0`, `1e400`. */
export class JsonNumber {
  /** As written in the text. */
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }

  /** `JSON.stringify` would have to round; `formatJson` writes the text. */
  toJSON(): never {
    throw new TypeError(`JSON.stringify cannot write ${this.text} unchanged; use formatJson`)
  }
}

/** Digits of a `bigint`: more than any field takes. SECURITY: the time to read one grows faster than its length. */
const MAX_DIGITS = 100

/** The value of a JSON number: a whole number beyond 2^53 becomes a `bigint`; nothing is ever rounded. */
export function numberOf(text: string): number | bigint | JsonNumber {
  const value = Number(text)
  if (text.length <= MAX_DIGITS && /^(?:0|-?[1-9]\d*)$/.test(text))
    return Number.isSafeInteger(value) ? value : BigInt(text)
  return !Number.isInteger(value) && String(value) === text ? value : new JsonNumber(text)
}
