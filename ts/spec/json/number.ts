/** Numbers that do not fit a JavaScript number. */

/** A JSON number other than an integer that does not survive conversion to a JavaScript number: `1.0`, `1e400`. */
export class JsonNumber {
  /** As in the source. */
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }

  /** Throws, because `JSON.stringify` would round; `formatJson` writes the exact number. */
  toJSON(): never {
    throw new TypeError(`JSON.stringify cannot write ${this.text} unchanged; use formatJson`)
  }
}

/** Limit of digits of a `bigint`, more than any field needs. SECURITY: parsing time grows faster than the length. */
const MAX_DIGITS = 100

/** The value of a JSON number: an integer beyond 2^53 becomes a `bigint`; nothing is ever rounded. */
export function numberOf(text: string): number | bigint | JsonNumber {
  const value = Number(text)
  if (text.length <= MAX_DIGITS && /^(?:0|-?[1-9]\d*)$/.test(text))
    return Number.isSafeInteger(value) ? value : BigInt(text)
  return !Number.isInteger(value) && String(value) === text ? value : new JsonNumber(text)
}
