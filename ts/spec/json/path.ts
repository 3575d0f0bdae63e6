/** JSON paths as errors name them: `linux.resources.memory.limit`, `mounts[3].options[1]`, `annotations["a.b"]`. */

const NAME = /^[A-Za-z_$][\w$-]*$/
/** Longer keys are shortened: they come from the document, and a path is for people. */
const LONGEST_KEY = 200

/** One step further down. */
export function childPath(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`
  if (key.length > LONGEST_KEY) return `${parent}[${JSON.stringify(`${key.slice(0, LONGEST_KEY)}…`)}]`
  if (!NAME.test(key)) return `${parent}[${JSON.stringify(key)}]`
  return parent === '' ? key : `${parent}.${key}`
}

/** All steps from the root. */
export function formatPath(keys: readonly PropertyKey[]): string {
  return keys.reduce<string>((path, key) => childPath(path, typeof key === 'number' ? key : String(key)), '')
}

const STEP = /\.?([A-Za-z_$][\w$-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/y

/** The steps of a path that {@link childPath} made, as far as they can be read. */
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
