/** Descriptors that answers of the addon gave to the caller. */
import { addon } from './addon.ts'

/** `fs.closeSync` is for those that Node opened: for others a worker thread prints a warning. */
export function closeDescriptor(descriptor: number): void {
  addon().closeDescriptor(descriptor)
}
