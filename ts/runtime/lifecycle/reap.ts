/** What killed processes have left below a state root: removed in the background by the next process. */
import { join } from 'node:path'
import { sweepContainers } from '../../image/store/container-directory.ts'
import { prepareStateRoot } from '../../native/state.ts'
import { BUNDLES } from '../state/id.ts'

/** Most bundles that one process removes; the next ones go on. */
const MOST = 256

/** Makes the root usable. No start waits for leftovers. */
export function prepareRoot(root: string): void {
  prepareStateRoot(root)
  // What it leaves, the next process sweeps.
  void sweepContainers(join(root, BUNDLES), MOST).catch(() => {})
}
