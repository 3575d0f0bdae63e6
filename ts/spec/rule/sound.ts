/** Removes the structurally invalid parts of a document, so that rules can check the rest. */

/** A copy of `value` without the values at `paths`; array items keep their indexes. */
export function sound(value: unknown, paths: readonly PropertyKey[][]): unknown {
  if (paths.some((keys) => keys.length === 0)) return undefined
  if (paths.length === 0 || typeof value !== 'object' || value === null) return value
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<PropertyKey, unknown>
  const inside = new Map<PropertyKey, PropertyKey[][]>()
  for (const [first, ...rest] of paths) {
    const inner = inside.get(first!)
    if (inner) inner.push(rest)
    else inside.set(first!, [rest])
  }
  for (const [key, inner] of inside) if (Object.hasOwn(copy, key)) copy[key] = sound(copy[key], inner)
  return copy
}
