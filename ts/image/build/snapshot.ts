/** Records the content of a directory, to find changes later. */
import { called } from '../../boundary.ts'
import type { LayerProgress } from '../../native/layer.ts'
import { compareTrees, writeManifest, type PathChange } from '../../native/write-layer.ts'
import { checkOptions } from '../../options.ts'
import { hostPath } from '../host-path.ts'
import { changesOptions, snapshotOptions } from '../options/known.ts'
import type { TreeReading } from './content.ts'
import { treeOptions } from './steps.ts'

export interface SnapshotOptions extends TreeReading {
  signal?: AbortSignal | undefined
  onProgress?: ((progress: LayerProgress) => void) | undefined
}

/**
 * Writes a manifest of `directory` (mtree(5), with SHA-256 digests) to the new file `manifest`. A difference layer with
 * `before: { manifest }` starts from it. Resolves with the number of entries.
 */
export function snapshot(
  directory: string,
  manifest: string,
  options: SnapshotOptions = {},
): Promise<number> {
  return called(snapshot, async () => {
    checkOptions(options, snapshotOptions)
    const { signal, onProgress } = options
    return writeManifest(
      hostPath(directory, 'directory'),
      hostPath(manifest, 'manifest'),
      treeOptions(options),
      { signal, onProgress },
    )
  })
}

/** The changes of `directory` since `snapshot` wrote the manifest. */
export function changesSince(
  manifest: string,
  directory: string,
  options: SnapshotOptions & { mask?: readonly string[] } = {},
): Promise<PathChange[]> {
  return called(changesSince, async () => {
    checkOptions(options, changesOptions)
    const { signal, onProgress } = options
    const request = {
      before: { manifest: hostPath(manifest, 'manifest') },
      after: { directory: hostPath(directory, 'directory') },
    }
    return compareTrees({ ...request, tree: treeOptions(options) }, { signal, onProgress })
  })
}
