/** Descriptors that the addon returned to the caller. */
import { addon } from './addon.ts'

/**
 * Closes a descriptor of the addon. `fs.closeSync` is for those that Node opened: for others a worker thread prints a
 * warning.
 */
export function closeDescriptor(descriptor: number): void {
  addon().closeDescriptor(descriptor)
}
