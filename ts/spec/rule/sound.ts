/** Takes out of a document what its structure has wrong, so that rules can look at all the rest. */

/** A copy of `value` without what is at `paths`; list items keep their places. */
export function sound(value: unknown, paths: readonly PropertyKey[][]): unknown {
  if (paths.some((keys) => keys.length === 0)) return undefined
  if (paths.length === 0 || typeof value !== 'object' || value === null) return value
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<PropertyKey, unknown>
  for (const key of new Set(paths.map(([first]) => first as PropertyKey))) {
    const inner = paths.filter(([first]) => first === key).map((keys) => keys.slice(1))
    if (Object.hasOwn(copy, key)) copy[key] = sound(copy[key], inner)
  }
  return copy
}
