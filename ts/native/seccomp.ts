/** The default profile of system calls, which the native core has. */
import { addon } from './addon.ts'

/**
 * `linux.seccomp` as JSON, for a bounding set (`CAP_CHOWN`, …) and the architecture of the programs
 * (`SCMP_ARCH_X86`; undefined: this one). Undefined where the architecture has no filters.
 */
export function defaultSeccomp(capabilities: readonly string[], programs?: string): string | undefined {
  return addon().defaultSeccomp([...capabilities], programs) ?? undefined
}
