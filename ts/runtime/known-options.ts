/** Options by their names: one with a typing error would be a limit that is silently not there. */
import { SpecError } from '../errors.ts'
import type { CreateOptions } from './create-options.ts'

const KNOWN: Readonly<Record<keyof CreateOptions, true>> = {
  args: true,
  bundle: true,
  config: true,
  consoleSocket: true,
  cpus: true,
  cwd: true,
  detached: true,
  env: true,
  hostname: true,
  idMappings: true,
  image: true,
  layering: true,
  memory: true,
  mounts: true,
  newKeyring: true,
  noNewPrivileges: true,
  pids: true,
  pivot: true,
  preserveFds: true,
  readonly: true,
  rootfs: true,
  signal: true,
  spec: true,
  stdio: true,
  terminal: true,
  user: true,
  writable: true,
  writableSize: true,
}

/** Throws `ERR_INVALID_OPTION`. */
export function refuseUnknownOptions(options: CreateOptions): void {
  const unknown = Object.entries(options).filter(
    ([name, value]) => value !== undefined && !Object.hasOwn(KNOWN, name),
  )
  if (unknown.length === 0) return
  const issues = unknown.map(([path]) => ({ path, message: 'there is no such option' }))
  throw new SpecError('ERR_INVALID_OPTION', 'options', issues, {
    hint: `there are ${Object.keys(KNOWN).join(', ')}`,
  })
}
