/** Opens the source of a reference. */
import type { LayerOperation } from '../../native/layer.ts'
import { Layout } from '../layout.ts'
import type { ImageReference } from '../reference.ts'
import { Archive } from './archive.ts'
import { openDockerArchive } from './docker-archive.ts'
import { OciArchive } from './oci-archive.ts'
import { Rootfs } from './rootfs.ts'
import type { ImageSource } from './source.ts'

/** Opens the place of a reference; the caller selects the image there. */
export async function openSource(
  reference: ImageReference,
  operation: LayerOperation = {},
): Promise<ImageSource> {
  const { transport, path } = reference
  switch (transport) {
    case 'oci':
      return Layout.open(path)
    case 'tar':
      return Rootfs.archive(path, operation)
    case 'dir':
      return Rootfs.directory(path, operation)
    case 'oci-archive':
      return within(path, operation, (archive) => OciArchive.open(archive))
    case 'docker-archive':
      return within(path, operation, (archive) => openDockerArchive(archive, operation))
  }
}

async function within(
  path: string,
  operation: LayerOperation,
  open: (archive: Archive) => Promise<ImageSource>,
): Promise<ImageSource> {
  const archive = await Archive.open(path, operation)
  try {
    return await open(archive)
  } catch (error) {
    await archive.close()
    throw error
  }
}
