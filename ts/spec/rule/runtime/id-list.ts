/** Numbers of CPUs or memory nodes as `0-3,7`: cpuset(7), "List format". */

/** COMPAT(runc): its limit. */
const LAST_ID = 64 * 1024

export const ID_LIST: string = `numbers up to ${LAST_ID} and ranges such as 0-3,7`

/** COMPAT(runc): spaces around an entry and empty entries are ignored; at least one number is needed. */
export function isIdList(text: string): boolean {
  const entries = text.split(',').map((entry) => entry.replace(/^ +| +$/g, ''))
  const given = entries.filter((entry) => entry !== '')
  return given.length > 0 && given.every(isRange)
}

function isRange(entry: string): boolean {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(entry) ?? []
  return first !== undefined && Number(first) <= Number(last) && Number(last) <= LAST_ID
}
