/** What is at the end of a path; undefined where it breaks off. */
export function at(value: unknown, keys: readonly PropertyKey[]): unknown {
  let found = value
  for (const key of keys) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = (found as Record<PropertyKey, unknown>)[key]
  }
  return found
}
