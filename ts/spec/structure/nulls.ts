/** Nulls in lenient mode: for an optional property of an object, null means absent. */
import type { Schema } from './leaf.ts'

/** `value` without nulls for optional properties; the same object if it has none. */
export function withoutNulls(schema: Schema, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { shape, item, values, section } = schema
  if (section) return withoutNulls(section(), value)
  if (item && Array.isArray(value)) {
    const items = value.map((element) => withoutNulls(item, element))
    return items.some((element, index) => element !== value[index]) ? items : value
  }
  if (Array.isArray(value)) return value
  const members = values
    ? Object.keys(value).map((name) => [name, values] as const)
    : Object.entries(shape ?? {})
  let copy: Record<string, unknown> | undefined
  for (const [name, member] of members) {
    if (!Object.hasOwn(value, name)) continue
    const old = (value as Record<string, unknown>)[name]
    const absent = old === null && member.optional === true && !member.refusesNull
    const changed = absent ? undefined : withoutNulls(member, old)
    if (changed === old) continue
    copy ??= { ...value }
    if (absent) delete copy[name]
    else copy[name] = changed
  }
  return copy ?? value
}
