/** What the caller may do where it runs. One place asks; the others are told. */
import { accessSync, constants, readFileSync } from 'node:fs'

/**
 * Whether a container is made without the rights of root. `setting` is the caller's word, which means the same
 * everywhere.
 */
export function isRootless(setting: boolean | undefined): boolean {
  return setting ?? process.geteuid?.() !== 0
}

/** Root of a user namespace is not root of the host. The initial namespace maps every id to itself in one line. */
export function isInUserNamespace(): boolean {
  try {
    const map = readFileSync('/proc/self/uid_map', 'latin1').trim().split(/\s+/)
    return map.join(' ') !== '0 0 4294967295'
  } catch {
    return false // no procfs, or a kernel without user namespaces
  }
}

export function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
