/** Adds positions in the source to issues. */
import type { SpecIssue } from '../../errors.ts'
import { parsePath } from './path.ts'
import { Lines } from './position.ts'
import { scan, type Visitor } from './scan.ts'

/** Copies with `line` and `column` of the value at the path, or of its nearest existing parent. */
export function locate(text: string, issues: readonly SpecIssue[]): SpecIssue[] {
  const without = issues.filter(({ line }) => line === undefined)
  if (without.length === 0) return [...issues]
  const root = new Place()
  const places = new Map(without.map((issue) => [issue, root.add(parsePath(issue.path))]))
  scan(text, Infinity, new Search(root))
  const lines = new Lines(text)
  return issues.map((issue) => {
    const offset = places.get(issue)?.nearest()
    return offset === undefined ? issue : { ...issue, ...lines.positionOf(offset) }
  })
}

/** A value to find, or a parent of one. */
class Place {
  offset: number | undefined
  readonly parent: Place | undefined
  readonly children = new Map<string | number, Place>()

  constructor(parent?: Place) {
    this.parent = parent
  }

  add(keys: readonly (string | number)[]): Place {
    return keys.reduce<Place>((place, key) => {
      const known = place.children.get(key)
      if (known) return known
      const made = new Place(place)
      place.children.set(key, made)
      return made
    }, this)
  }

  nearest(): number | undefined {
    return this.offset ?? this.parent?.nearest()
  }
}

/** Follows the scanner along the places; values without one are skipped. */
class Search implements Visitor {
  readonly #root: Place
  readonly #path: (Place | undefined)[] = []

  constructor(root: Place) {
    this.#root = root
  }

  enter(key: string | number | undefined, offset: number): void {
    const place = key === undefined ? this.#root : this.#path.at(-1)?.children.get(key)
    if (place) place.offset = offset
    this.#path.push(place)
  }

  leave(): void {
    this.#path.pop()
  }
}
