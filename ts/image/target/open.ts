/** Opens the target of a reference. */
import { resolve } from 'node:path'
import { CaissonError } from '../../errors.ts'
import { parseReference } from '../reference.ts'
import { ArchiveFile } from './archive-file.ts'
import { DockerArchiveTarget } from './docker-archive.ts'
import { LayoutTarget } from './layout.ts'
import { OciArchiveTarget } from './oci-archive.ts'
import type { ImageTarget } from './target.ts'

/** Calls to use in place of transports that cannot be written. */
const INSTEAD = { tar: 'exportRootfs', dir: 'unpackRootfs' }

/** Does not create anything yet. Throws `ERR_INVALID_OPTION`, and the errors of {@link ArchiveFile.at}. */
export async function openTarget(
  reference: string,
  overwrite: boolean,
): Promise<{ target: ImageTarget; name: string | undefined }> {
  const { transport, path, tag, name = tag, digest } = parseReference(reference)
  if (digest !== undefined) throw invalid(reference, 'what is written has the digest that it has')
  switch (transport) {
    case 'oci':
      return { target: new LayoutTarget(path), name }
    case 'oci-archive':
      return { target: new OciArchiveTarget(await ArchiveFile.at(resolve(path), overwrite)), name }
    case 'docker-archive':
      return { target: new DockerArchiveTarget(await ArchiveFile.at(resolve(path), overwrite)), name }
    case 'tar':
    case 'dir':
      throw invalid(
        reference,
        'an image cannot be copied to a root file system',
        `${INSTEAD[transport]} writes one`,
      )
  }
}

function invalid(reference: string, why: string, hint?: string): CaissonError {
  return new CaissonError('ERR_INVALID_OPTION', `${JSON.stringify(reference)} as a target: ${why}`, {
    phase: 'validate',
    hint,
  })
}
