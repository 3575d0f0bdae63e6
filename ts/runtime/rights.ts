/** How a container is made, by what the caller may do. */
import { accessSync, constants } from 'node:fs'
import { processRights } from '../native/rights.ts'

/**
 * Whether a container gets a user namespace of its own and does without what needs more. `setting` is the caller's
 * word, which means the same everywhere.
 */
export function isRootless(setting: boolean | undefined): boolean {
  return setting ?? processRights().needsUserNamespace
}

export function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
