/**
 * Names of snapshots: a chainID, or for a user's ranges of ids the image's chainID with a key of the mapping.
 */
import { createHash } from 'node:crypto'
import type { IdMappings } from '../id-mappings.ts'

/** The snapshot of a whole image with mapped owners. */
export function mappedId(chainId: string, mappings: IdMappings): string {
  const key = createHash('sha256').update(mappingText(mappings)).digest('hex').slice(0, 16)
  return `${chainId}+${key}`
}

/** The same string for the same mapping. */
export function mappingText({ uidMappings, gidMappings }: IdMappings): string {
  const lines = (list: IdMappings['uidMappings']): object[] =>
    list.map(({ containerID, hostID, size }) => ({ containerID, hostID, size }))
  return JSON.stringify({ uidMappings: lines(uidMappings), gidMappings: lines(gidMappings) })
}

/** The chainID of the image. */
export function chainIdOf(id: string): string {
  return id.split('+', 1)[0]!
}
