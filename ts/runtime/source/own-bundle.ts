/** A bundle that is made for one container and goes with it. */
import { join } from 'node:path'
import type { ContainerDirectory } from '../../image/store/container-directory.ts'
import type { RuntimeSpec } from '../../spec/index.ts'
import { formatJson } from '../../spec/json/format.ts'
import type { Resolved } from './source.ts'

/** `fill` makes the root file system and says the configuration. Where it fails, the directory is removed. */
export async function ownBundle(
  directory: ContainerDirectory,
  fill: (rootfs: string) => RuntimeSpec | Promise<RuntimeSpec>,
): Promise<Resolved> {
  const { path } = directory
  try {
    const config = formatJson(await fill(join(path, 'rootfs')))
    return { bundle: path, config, directory: path, dispose: () => directory.remove() }
  } catch (error) {
    await directory.remove().catch(() => {}) // the first error counts; it is tried again
    throw error
  }
}
