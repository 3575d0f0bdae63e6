/** Flags before the verb. */
import type { Flag } from './flags.ts'

export const globalFlags: readonly Flag[] = [
  { name: 'debug', type: 'switch', usage: 'enable debug logging' },
  { name: 'log', type: 'text', usage: "set the log file to write logs to (default is '/dev/stderr')" },
  {
    name: 'log-format',
    type: 'text',
    usage: "set the log format ('text' (default), or 'json')",
    default: 'text',
  },
  {
    name: 'root',
    type: 'text',
    usage: 'root directory for storage of container state (this should be located in tmpfs)',
  },
  { name: 'systemd-cgroup', type: 'switch', usage: 'use systemd for control groups (not supported yet)' },
  { name: 'cgroup-manager', type: 'text', usage: "'cgroupfs' or 'disabled'", default: 'cgroupfs' },
  {
    name: 'rootless',
    type: 'text',
    usage: "ignore cgroup permission errors ('true', 'false', or 'auto')",
    default: 'auto',
  },
  {
    name: 'missing-security-module',
    type: 'text',
    usage: "for a label whose security module is not active: 'error', or 'warn' to do without it",
    default: 'error',
  },
  { name: 'version', aliases: ['v'], type: 'switch', usage: 'print the version', hidden: true },
]
