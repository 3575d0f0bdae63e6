/** Counts the content of a value in one walk. */

export class Census {
  /** Number of members of all objects. */
  members = 0
  nulls = 0
  /** False for a number that may have been rounded, or too many levels. */
  exact = true
  tooDeep = false
  readonly #maxDepth: number

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth
  }

  count(value: unknown, depth = 0): void {
    if (typeof value === 'number') {
      if (!Number.isSafeInteger(value) || Object.is(value, -0)) this.exact = false
    } else if (value === null) this.nulls += 1
    else if (typeof value === 'object') {
      if (depth >= this.#maxDepth) {
        this.exact = false
        this.tooDeep = true
        return
      }
      if (Array.isArray(value)) {
        for (const item of value) if (typeof item !== 'string') this.count(item, depth + 1)
        return
      }
      const object = value as Record<string, unknown>
      for (const name of Object.keys(object)) {
        this.members += 1
        const member = object[name]
        if (typeof member !== 'string') this.count(member, depth + 1)
      }
    }
  }
}
