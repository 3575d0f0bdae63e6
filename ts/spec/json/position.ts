/** Offsets to what an editor shows. */

/** Both count from 1; the column in UTF-16 units. */
export interface Position {
  line: number
  column: number
}

export function positionOf(text: string, offset: number): Position {
  const before = text.slice(0, offset)
  const newline = before.lastIndexOf('\n')
  return { line: before.split('\n').length, column: offset - newline }
}
