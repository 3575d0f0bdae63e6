/** The location of snapshots in a store, and their records. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CaissonError } from '../../errors.ts'
import type { IdMappings } from '../id-mappings.ts'

const VERSION = 2

/** Content of `snapshot.json`. */
export interface SnapshotRecord {
  version: typeof VERSION
  chainId: string
  diffId: string
  /** ChainID of the snapshot below. */
  parent?: string | null
  /** Archive entries of the layer. */
  entries: number
  /** Size of its files. */
  bytes: number
  /** Digest of its tree without file contents. */
  tree: string
  /** Digest of the checksums of its files. */
  contents: string
  /** Unpacked without root privileges: every file belongs to the caller. */
  rootless: boolean
  /** For a snapshot of a whole image with owners mapped to a user's ranges of ids. */
  mapping?: IdMappings | undefined
  /** Number of things that could not be done as the layer asks. */
  skipped: number
}

/** SECURITY: only characters of the digest grammar ever become a path (CVE-2024-3727). */
const CHAIN_ID = /^([a-z0-9]+):([a-f0-9]+(?:\+[a-f0-9]+)?)$/

/** Path of a snapshot below the store. Throws `ERR_INVALID_OPTION` for an invalid chainID. */
export function snapshotPath(chainId: string): string {
  const [, algorithm, encoded] = CHAIN_ID.exec(chainId) ?? []
  if (algorithm && encoded) return `snapshots/${algorithm}/${encoded}`
  throw new CaissonError('ERR_INVALID_OPTION', `${JSON.stringify(chainId)} is not a chainID`)
}

/** Path of a snapshot's layer below the store. */
export function layerPath(chainId: string): string {
  return `${snapshotPath(chainId)}/fs`
}

/** ChainIDs of all snapshots, sorted. */
export function listSnapshots(store: string): string[] {
  const list = (path: string): string[] => {
    try {
      return readdirSync(join(store, path))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }
  const all = list('snapshots').flatMap((algorithm) =>
    list(`snapshots/${algorithm}`).map((encoded) => `${algorithm}:${encoded}`),
  )
  return all.filter((chainId) => CHAIN_ID.test(chainId)).sort()
}

/** Undefined if it is missing or invalid: `verify` reports that. */
export function readRecord(store: string, chainId: string): SnapshotRecord | undefined {
  try {
    const path = join(store, snapshotPath(chainId), 'snapshot.json')
    const record = JSON.parse(readFileSync(path, 'utf8')) as SnapshotRecord
    return record.version === VERSION ? record : undefined
  } catch {
    return undefined
  }
}
