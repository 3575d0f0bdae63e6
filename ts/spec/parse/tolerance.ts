/**
 * Differences in config.json, besides nulls, that a lenient reader ignores: the native core accepts them, and peers
 * write them.
 */

const PLATFORMS: ReadonlySet<PropertyKey> = new Set(['solaris', 'windows', 'vm', 'zos', 'freebsd'])
const PROPAGATIONS: ReadonlySet<unknown> = new Set(['', 'rprivate', 'rshared', 'rslave', 'runbindable'])

export function toleratesConfig(keys: readonly PropertyKey[], found: unknown): boolean {
  const [first, second, , last] = keys
  // Sections for other platforms are passed through, whatever their content.
  if (first !== undefined && PLATFORMS.has(first)) return true
  if (first !== 'linux') return false
  if (second === 'rootfsPropagation') return PROPAGATIONS.has(found)
  // COMPAT(runc): the mode may contain the file type, as st_mode of stat(2) does.
  return second === 'devices' && last === 'fileMode' && isFileMode(found)
}

const isFileMode = (value: unknown): boolean =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= 0o177777
