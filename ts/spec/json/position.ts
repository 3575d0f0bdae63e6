/** Converts offsets to positions in an editor. */

/** Both start at 1; the column counts UTF-16 units. */
export interface Position {
  line: number
  column: number
}

/** The line index of a source, computed once for any number of positions. */
export class Lines {
  readonly #text: string
  #starts: number[] | undefined

  constructor(text: string) {
    this.#text = text
  }

  positionOf(offset: number): Position {
    const starts = (this.#starts ??= startsOf(this.#text))
    let [low, high] = [0, starts.length]
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if (starts[middle]! <= offset) low = middle
      else high = middle
    }
    return { line: low + 1, column: offset - starts[low]! + 1 }
  }
}

function startsOf(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}
