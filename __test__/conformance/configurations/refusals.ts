/** Configurations that a runtime cannot run. */
import { edit, process, top, type Table } from './edit.ts'

export const refusals: Table = {
  'no program at all': process({ args: [] }),
  'a relative cwd': process({ cwd: 'tmp' }),
  'no cwd': edit((spec) => void delete (spec.process as object as Record<string, unknown>)['cwd']),
  'no root': edit((spec) => void delete spec.root),
  'an invalid type of a known property': top({ hostname: 7 }),
  'a mount without a destination': edit((spec) => void spec.mounts!.push({ type: 'tmpfs' } as never)),
  'a propagation that is unknown': edit((spec) => void (spec.linux!.rootfsPropagation = 'upwards' as never)),
}
