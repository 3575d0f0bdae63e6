import { readFileSync } from 'node:fs'

/** Changes with every boot; empty without procfs. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    return ''
  }
}
