/** JSON paths as errors name them: `linux.resources.memory.limit`, `mounts[3].options[1]`, `annotations["a.b"]`. */

const NAME = /^[A-Za-z_$][\w$-]*$/

/** One step further down. */
export function childPath(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`
  if (!NAME.test(key)) return `${parent}[${JSON.stringify(key)}]`
  return parent === '' ? key : `${parent}.${key}`
}

/** All steps from the root. */
export function formatPath(keys: readonly PropertyKey[]): string {
  return keys.reduce<string>((path, key) => childPath(path, typeof key === 'number' ? key : String(key)), '')
}
