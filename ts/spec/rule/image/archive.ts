/** manifest.json of a docker-archive. */
import type { DockerArchiveImage } from '../../docker/index.ts'
import { each, type Report, type Sound } from '../report.ts'

export function dockerArchive(images: Sound<DockerArchiveImage[]>, report: Report): void {
  for (const [index, { Config, Layers }] of each(images)) {
    inside(Config, `[${index}].Config`, report)
    for (const [place, path] of each(Layers)) inside(path, `[${index}].Layers[${place}]`, report)
  }
}

/** SECURITY: the paths are looked up in the archive, and must not lead out of it. */
function inside(path: string | null | undefined, at: string, report: Report): void {
  if (typeof path !== 'string') return
  if (path === '' || path.startsWith('/') || path.split('/').includes('..') || path.includes('\0')) {
    report.wrong(at, path, 'a path inside the archive')
  }
}
