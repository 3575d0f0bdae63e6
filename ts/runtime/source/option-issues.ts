/** Problems of a configuration, told as those of the option that they come from. */
import { SpecError } from '../../errors.ts'
import type { SpecOptions } from './spec-options.ts'

/**
 * The error to throw: `mounts` of the options are the last ones of the configuration, and their indices are the
 * caller's. A function that may have moved them leaves the indices of the configuration.
 */
export function asOptionIssues(error: unknown, config: string | undefined, options: SpecOptions): unknown {
  const { mounts = [], spec } = options
  if (!(error instanceof SpecError) || error.code !== 'ERR_INVALID_SPEC') return error
  if (config === undefined || mounts.length === 0 || spec !== undefined) return error
  const all = (JSON.parse(config) as { mounts: unknown[] }).mounts.length
  const issues = error.issues.map((issue) => {
    const [, index, rest] = /^mounts\[(\d+)\](.*)$/s.exec(issue.path) ?? []
    const own = Number(index) - (all - mounts.length)
    return { issue, path: own >= 0 ? `mounts[${own}]${rest}` : undefined }
  })
  // A problem elsewhere is one of the configuration.
  if (issues.some(({ path }) => path === undefined)) return error
  const given = issues.map(({ issue, path }) => ({ ...issue, path: path! }))
  return new SpecError('ERR_INVALID_OPTION', 'options', given, {
    hint: error.hint,
    containerId: error.containerId,
  })
}
