/** How the layers of an image become a root file system. For images only. */
import type { IdMappingsOption } from '../../image/index.ts'
import type { Size } from './size.ts'

export interface LayerOptions {
  /**
   * `'overlay'`: the layers of the store, shared by all containers, under an overlay mount in the container's own
   * mount namespace. `'copy'`: a copy of their files for this container, sharing blocks where the file system can.
   * Default: an overlay, and a copy with a warning where none can be mounted.
   */
  layering?: 'overlay' | 'copy' | undefined
  /**
   * Ids of the host for those of the container, in a user namespace: `'subordinate'`, the caller as root and the
   * caller's ranges of /etc/subuid and /etc/subgid for the rest, or given by hand. Files have the owners that they
   * have in the image. Default: as root none, as an ordinary user the caller alone, as root, to whom all files
   * belong.
   */
  idMappings?: IdMappingsOption | undefined
  /**
   * Where the container's own files go: `'disk'`, a directory in the store that is removed with the container, or
   * `'tmpfs'`, memory, which counts against its memory limit. Default: `'disk'`, or `'tmpfs'` where the store itself
   * lies on an overlay.
   */
  writable?: 'disk' | 'tmpfs' | undefined
  /** Most bytes of the tmpfs; default half of the memory. */
  writableSize?: Size | undefined
}
