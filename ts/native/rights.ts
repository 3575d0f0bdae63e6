/** What this process may do. Never kept: a program may change its ids. */
import { addon } from './addon.ts'
import type { ProcessRights } from './binding.d.ts'

export type { ProcessRights } from './binding.d.ts'

/** Throws `ERR_BINDING_MISSING`, `ERR_PLATFORM`. */
export function processRights(): ProcessRights {
  return addon().processRights()
}
