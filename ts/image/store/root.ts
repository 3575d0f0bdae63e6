/** The location of a store. */
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Overrides the default directory. */
export const STORE_VARIABLE = 'CAISSON_STORE'

/**
 * `$CAISSON_STORE`, else `/var/lib/caisson` as root and `$XDG_DATA_HOME/caisson` (`~/.local/share/caisson`) otherwise.
 */
export function defaultStoreRoot(): string {
  const { [STORE_VARIABLE]: named, XDG_DATA_HOME: data } = process.env
  if (named) return named
  if (process.geteuid?.() === 0) return '/var/lib/caisson'
  return join(data || join(homedir(), '.local/share'), 'caisson')
}

/** Where the default comes from, and how to override it. */
export function defaultStoreHint(): string {
  const { [STORE_VARIABLE]: named, XDG_DATA_HOME: data } = process.env
  if (named) return `the store is where ${STORE_VARIABLE} says: name a directory that can be written to`
  const reason =
    process.geteuid?.() === 0
      ? 'the default'
      : data
        ? 'below XDG_DATA_HOME'
        : `below the home directory, ${homedir()}`
  return `the store is ${reason}: set ${STORE_VARIABLE}, or give the option store, to use another directory`
}
