/** JSON paths in errors: `linux.resources.memory.limit`, `mounts[3].options[1]`, `annotations["a.b"]`. */

const NAME = /^[A-Za-z_$][\w$-]*$/
/** Longer keys are shortened: they come from the document, and a path must be readable. */
const LONGEST_KEY = 200

/** Appends one key. */
export function childPath(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`
  if (key.length > LONGEST_KEY) return `${parent}[${JSON.stringify(`${key.slice(0, LONGEST_KEY)}…`)}]`
  if (!NAME.test(key)) return `${parent}[${JSON.stringify(key)}]`
  return parent === '' ? key : `${parent}.${key}`
}

/** The path of all keys from the root. */
export function formatPath(keys: readonly PropertyKey[]): string {
  return keys.reduce<string>((path, key) => childPath(path, typeof key === 'number' ? key : String(key)), '')
}

const STEP = /\.?([A-Za-z_$][\w$-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/y

/** The keys of a path made by {@link childPath}, as far as it can be parsed. */
export function parsePath(path: string): (string | number)[] {
  const keys: (string | number)[] = []
  STEP.lastIndex = 0
  for (let match = STEP.exec(path); match; match = STEP.exec(path)) {
    const [, name, index, quoted] = match
    if (name !== undefined) keys.push(name)
    else keys.push(index === undefined ? (JSON.parse(quoted!) as string) : Number(index))
  }
  return keys
}
