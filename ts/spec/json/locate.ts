/** Gives issues their place in the text. */
import type { SpecIssue } from '../../errors.ts'
import { positionOf } from './position.ts'
import { scan } from './scan.ts'

/** Copies with `line` and `column`: of the value at the path, or of the nearest one around it that is there. */
export function locate(text: string, issues: readonly SpecIssue[]): SpecIssue[] {
  if (issues.every(({ line }) => line !== undefined)) return [...issues]
  const offsets = new Map<string, number>()
  scan(text, Infinity, (path, offset) => offsets.set(path, offset))
  return issues.map((issue) => {
    if (issue.line !== undefined) return issue
    const offset = nearest(issue.path, offsets)
    return offset === undefined ? issue : { ...issue, ...positionOf(text, offset) }
  })
}

function nearest(path: string, offsets: ReadonlyMap<string, number>): number | undefined {
  for (let end = path.length; end >= 0; end--) {
    // A path's parents are its prefixes before `.` and `[`.
    if (end < path.length && end > 0 && path[end] !== '.' && path[end] !== '[') continue
    const offset = offsets.get(path.slice(0, end))
    if (offset !== undefined) return offset
  }
  return undefined
}
