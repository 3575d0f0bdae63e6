/** Validates an archive: an OCI layout, or the output of `docker save`. */
import { CaissonError } from '../../errors.ts'
import { safeParseDockerArchiveManifest, safeParseDockerImageConfig } from '../../spec/index.ts'
import type { Archive } from '../source/archive.ts'
import { LAYOUT_FILE } from '../source/layout-files.ts'
import { readFileOf, type Find } from './files.ts'
import { validateLayout } from './layout.ts'
import type { Findings, ValidationReport } from './report.ts'

const MANIFEST_FILE = 'manifest.json'

/** Throws `ERR_UNSUPPORTED_IMAGE` for any other archive. */
export async function validateArchive(
  findings: Findings,
  archive: Archive,
): Promise<ValidationReport['kind']> {
  const find: Find = (name) => Promise.resolve(archive.find(name))
  const [layout, docker] = [archive.find(LAYOUT_FILE), archive.find(MANIFEST_FILE)]
  if (layout) await validateLayout(findings, 'oci-archive', archive.path, find)
  // Docker 25 and later put both into one archive.
  if (docker) await dockerArchive(findings, archive, find)
  if (layout) return 'oci-archive'
  if (docker) return 'docker-archive'
  const message = `${archive.path} is not an image archive: it has neither oci-layout nor manifest.json`
  throw new CaissonError('ERR_UNSUPPORTED_IMAGE', message, { path: archive.path, phase: 'validate' })
}

async function dockerArchive(findings: Findings, archive: Archive, find: Find): Promise<void> {
  const bytes = await readFileOf(find, MANIFEST_FILE)
  const images = bytes && findings.parse(MANIFEST_FILE, MANIFEST_FILE, safeParseDockerArchiveManifest, bytes)
  const errors = findings.documents.at(-1)?.errors
  const problem = (path: string, message: string): void => void errors?.push({ path, message, kind: 'rule' })
  for (const [index, { Config, Layers }] of (images ?? []).entries()) {
    const names = [[`[${index}].Config`, Config]] as [path: string, name: string][]
    for (const [place, layer] of Layers.entries()) names.push([`[${index}].Layers[${place}]`, layer])
    for (const [path, name] of names) {
      if (!archive.find(name)) problem(path, `names ${JSON.stringify(name)}, which is not in the archive`)
    }
    const config = await readFileOf(find, Config)
    const parsed =
      config && findings.parse(Config, 'Docker image configuration', safeParseDockerImageConfig, config)
    const ids = parsed?.rootfs.diff_ids.length
    if (ids !== undefined && ids !== Layers.length) {
      problem(`[${index}].Layers`, `has ${Layers.length} layers, but the configuration has ${ids} diff_ids`)
    }
  }
}
