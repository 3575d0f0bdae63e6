/** Where a container is made: what sources have to know beside the options. */
import type { Store } from '../../image/index.ts'
import type { KnownImages } from './known-images.ts'

export interface ContainerPlace {
  store: () => Promise<Store>
  /** Those that were opened by reference before. */
  images: KnownImages
  /** Absolute path of the container's state directory. */
  stateDirectory: string
  /** It is made without the rights of root. */
  rootless: boolean
  /** The container outlives this process. */
  detached: boolean
  signal: AbortSignal | undefined
  warn: (message: string) => void
}

/** What keeps layers for a detached container after this process has ended. */
export function leaseOf(
  { detached, stateDirectory }: ContainerPlace,
  chainIds: readonly string[],
): { chainIds: readonly string[]; state: string } | undefined {
  return detached ? { chainIds, state: stateDirectory } : undefined
}
