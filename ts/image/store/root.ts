/** Where a store is. */
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Names another directory than the default. */
export const STORE_VARIABLE = 'CAISSON_STORE'

/** `$CAISSON_STORE`, else `/var/lib/caisson` as root and `$XDG_DATA_HOME/caisson` (`~/.local/share/caisson`) otherwise. */
export function defaultStoreRoot(): string {
  const { [STORE_VARIABLE]: named, XDG_DATA_HOME: data } = process.env
  if (named) return named
  if (process.geteuid?.() === 0) return '/var/lib/caisson'
  return join(data || join(homedir(), '.local/share'), 'caisson')
}
