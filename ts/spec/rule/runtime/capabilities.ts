/**
 * `process.capabilities`. Capabilities that cannot be granted are warnings: the container runs without them
 * (config.md).
 */
import { each, type Report } from '../report.ts'
import type { Config } from './platform.ts'

/** capabilities(7), in the kernel's numbering, without the prefix `CAP_`. */
const KNOWN = new Set(
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
  NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
  SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
  MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
    .split(/\s+/)
    .map((name) => `CAP_${name}`),
)

export function capabilities(config: Config, report: Report): void {
  const sets = config.process?.capabilities
  if (!sets) return
  for (const name of ['bounding', 'effective', 'inheritable', 'permitted', 'ambient'] as const) {
    for (const [index, capability] of each(sets[name])) {
      const known = KNOWN.has(capability) || KNOWN.has(capability.toUpperCase())
      const at = `process.capabilities.${name}[${index}]`
      if (!known)
        report.warn(at, `unknown capability ${JSON.stringify(capability)}: the container runs without it`)
    }
  }
  within('effective', 'permitted')
  within('ambient', 'permitted')
  within('ambient', 'inheritable')

  function within(inner: 'effective' | 'ambient', outer: 'permitted' | 'inheritable'): void {
    const allowed = new Set(sets?.[outer] ?? [])
    for (const [index, capability] of each(sets?.[inner])) {
      if (allowed.has(capability)) continue
      report.warn(
        `process.capabilities.${inner}[${index}]`,
        `${capability} has no effect: it is not ${outer}`,
      )
    }
  }
}
