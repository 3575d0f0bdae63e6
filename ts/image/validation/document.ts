/** Validates a single document, whose kind is derived from its content. */
import * as spec from '../../spec/index.ts'
import type { Findings } from './report.ts'

type SafeParse = (input: spec.DocumentInput, options?: spec.ParseOptions) => spec.ParseResult<object>

/** By the values of `caisson validate --kind`. */
export const KINDS: ReadonlyMap<string, SafeParse> = new Map<string, SafeParse>([
  ['config.json', spec.safeParseRuntimeSpec],
  ['state', spec.safeParseRuntimeState],
  ['features', spec.safeParseRuntimeFeatures],
  ['oci-layout', spec.safeParseLayoutHeader],
  ['index', spec.safeParseImageIndex],
  ['manifest', spec.safeParseImageManifest],
  ['config', spec.safeParseImageConfig],
  ['descriptor', spec.safeParseDescriptor],
  ['docker-manifest', spec.safeParseDockerManifest],
  ['docker-manifest-list', spec.safeParseDockerManifestList],
  ['docker-config', spec.safeParseDockerImageConfig],
  ['docker-archive', spec.safeParseDockerArchiveManifest],
])

/** Undefined if no kind matches. */
export function kindOf(document: unknown): string | undefined {
  if (Array.isArray(document)) return document.some(has('Layers')) ? 'docker-archive' : undefined
  const { mediaType } = (document ?? {}) as { mediaType?: unknown }
  if (mediaType === spec.MEDIA_TYPE.dockerManifest) return 'docker-manifest'
  if (mediaType === spec.MEDIA_TYPE.dockerManifestList) return 'docker-manifest-list'
  const marks: [kind: string, ...names: string[]][] = [
    ['features', 'ociVersionMin'],
    ['state', 'ociVersion', 'status'],
    ['config.json', 'ociVersion'],
    ['oci-layout', 'imageLayoutVersion'],
    ['index', 'manifests'],
    ['manifest', 'layers'],
    ['docker-config', 'rootfs', 'docker_version'],
    ['docker-config', 'rootfs', 'container_config'],
    ['config', 'rootfs'],
    ['manifest', 'schemaVersion', 'config'],
    ['descriptor', 'digest'],
  ]
  return marks.find(([, ...names]) => names.every((name) => has(name)(document)))?.[0]
}

const has =
  (name: string) =>
  (document: unknown): boolean =>
    typeof document === 'object' && document !== null && Object.hasOwn(document, name)

/** Parses `bytes` as the given kind, or as the derived one. */
export function validateDocument(findings: Findings, file: string, bytes: Uint8Array, wanted?: string): void {
  const kind = wanted ?? kindOf(read(bytes))
  const safeParse = kind === undefined ? undefined : KINDS.get(kind)
  if (kind !== undefined && safeParse) {
    findings.parse(file, kind, safeParse, bytes)
    return
  }
  // Any parser reports invalid JSON.
  const result = spec.safeParseLayoutHeader(bytes)
  const issues = result.success ? [] : result.error.issues.filter((issue) => issue.kind === 'json')
  const message = `unknown kind of document; name it with --kind`
  findings.add(file, 'unknown').errors.push(...(issues.length > 0 ? issues : [{ path: '', message }]))
}

function read(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'))
  } catch {
    return undefined
  }
}
