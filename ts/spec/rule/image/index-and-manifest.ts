/** Indexes and manifests. */
import type { DockerManifest, DockerManifestList } from '../../docker/index.ts'
import type { ImageIndex, ImageManifest } from '../../image/index.ts'
import { ANNOTATION } from '../../image/annotations.ts'
import { isIndexType, isManifestType, MEDIA_TYPE } from '../../media-type.ts'
import { isRefName } from '../../ref-name.ts'
import { show } from '../../show.ts'
import { each, type Report, type Sound } from '../report.ts'
import { annotations, descriptor, descriptors } from './descriptor.ts'

type Fields = Readonly<Record<string, unknown>>

export function imageIndex(document: Sound<ImageIndex>, report: Report): void {
  unambiguous(document, report)
  ownType(document.mediaType, MEDIA_TYPE.index, isIndexType, report)
  contents(document, report)
  for (const [index, { annotations }] of each(document.manifests)) {
    const name = annotations?.[ANNOTATION.refName]
    if (typeof name === 'string' && !isRefName(name)) {
      const at = `manifests[${index}].annotations[${JSON.stringify(ANNOTATION.refName)}]`
      report.warn(at, `invalid reference name ${show(name)}`)
    }
  }
}

export function imageManifest(document: Sound<ImageManifest>, report: Report): void {
  unambiguous(document, report)
  ownType(document.mediaType, MEDIA_TYPE.manifest, isManifestType, report)
  contents(document, report)
  const { layers, config, artifactType } = document
  if (layers?.length === 0) report.strictly('layers', layers, 'a list with at least one descriptor')
  if (config?.mediaType === MEDIA_TYPE.empty && !artifactType && !report.isBroken('artifactType')) {
    report.strictly('artifactType', undefined, 'the type of the artifact, as config is the empty descriptor')
  }
}

export function dockerManifest(document: Sound<DockerManifest>, report: Report): void {
  unambiguous(document, report)
  ownType(document.mediaType, MEDIA_TYPE.dockerManifest, isManifestType, report)
  contents(document, report)
}

export function dockerManifestList(document: Sound<DockerManifestList>, report: Report): void {
  unambiguous(document, report)
  ownType(document.mediaType, MEDIA_TYPE.dockerManifestList, isIndexType, report)
  contents(document, report)
  for (const [index, { platform }] of each(document.manifests)) {
    if (!platform && !report.isBroken(`manifests[${index}].platform`)) {
      report.strictly(`manifests[${index}].platform`, undefined, 'an object with os and architecture')
    }
  }
}

/** SECURITY: two readers could interpret a document with both differently (CVE-2021-41190). */
function unambiguous(document: Fields, report: Report): void {
  if ('manifests' in document && ('layers' in document || 'config' in document)) {
    report.error('', 'has both manifests and layers or config: it is ambiguous')
  }
}

/** The type in the document, the one of its reference, and the one it was parsed as. */
function ownType(
  found: string | null | undefined,
  wanted: string,
  fits: (type: string) => boolean,
  report: Report,
): void {
  const { mediaType: expected } = report
  if (expected !== undefined && found && found !== expected) {
    report.error('mediaType', `is ${show(found)}, but it was referenced as ${expected}`, {
      found,
      allowed: expected,
    })
  } else if (found !== undefined && found !== null && found !== wanted) {
    if (report.strict) report.wrong('mediaType', found, JSON.stringify(wanted))
    else if ((isIndexType(found) || isManifestType(found)) && !fits(found)) {
      report.wrong('mediaType', found, `${JSON.stringify(wanted)} or its Docker counterpart`)
    }
  }
}

function contents(document: Sound<Partial<ImageIndex & ImageManifest>>, report: Report): void {
  descriptor(document.config, 'config', report)
  descriptors(document.manifests, 'manifests', report)
  descriptors(document.layers, 'layers', report)
  descriptor(document.subject, 'subject', report)
  annotations(document.annotations, 'annotations', report)
}
