/** How the layers of an image become a root file system. For images only. */
import type { Size } from './size.ts'

export interface LayerOptions {
  /**
   * `'overlay'`: the layers of the store, shared by all containers, under an overlay mount in the container's own mount
   * namespace. `'copy'`: a copy of their files for this container, sharing blocks where the file system can. Default: an
   * overlay, and a copy with a warning where none can be mounted.
   */
  layering?: 'overlay' | 'copy' | undefined
  /**
   * Where the container's own files go: `'disk'`, a directory in the store that is removed with the container, or
   * `'tmpfs'`, memory, which counts against its memory limit. Default: `'disk'`, or `'tmpfs'` where the store itself lies
   * on an overlay.
   */
  writable?: 'disk' | 'tmpfs' | undefined
  /** Most bytes of the tmpfs; default half of the memory. */
  writableSize?: Size | undefined
}
