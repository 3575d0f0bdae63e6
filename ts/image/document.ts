/** The documents of an image, as far as they are needed to find and unpack it. Unknown fields are kept and ignored. */
import { SpecError, type SpecIssue } from '../errors.ts'
import type { ImageConfig, ImageIndex, ImageManifest } from '../spec/index.ts'

type Fields = Record<string, unknown>
const DIGEST = /^(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$/
const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/

/** Collects problems by JSON path. */
class Check {
  readonly issues: SpecIssue[] = []

  fail(path: string, message: string): void {
    this.issues.push({ path, message })
  }

  object(value: unknown, path: string): Fields | undefined {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
    this.fail(path, 'must be an object')
    return undefined
  }

  /** Absent and null are the same in the wild. */
  texts(value: unknown, path: string): void {
    if (value === undefined || value === null) return
    if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
      this.fail(path, 'must be a list of texts')
    }
  }

  text(value: unknown, path: string): void {
    if (value !== undefined && value !== null && typeof value !== 'string') this.fail(path, 'must be a text')
  }

  map(value: unknown, path: string, ofTexts: boolean): void {
    if (value === undefined || value === null) return
    const fields = this.object(value, path)
    if (ofTexts && fields && Object.values(fields).some((item) => typeof item !== 'string')) {
      this.fail(path, 'must have texts as values')
    }
  }

  descriptor(value: unknown, path: string): void {
    const fields = this.object(value, path)
    if (!fields) return
    const { mediaType, digest, size, annotations, platform } = fields
    if (typeof mediaType !== 'string' || !MEDIA_TYPE.test(mediaType)) {
      this.fail(`${path}.mediaType`, 'must be a media type')
    }
    // SECURITY: a digest becomes part of a path (CVE-2024-3727).
    if (typeof digest !== 'string' || !DIGEST.test(digest)) {
      this.fail(`${path}.digest`, `must be a sha256, sha384 or sha512 digest, not ${JSON.stringify(digest)}`)
    }
    if (!Number.isSafeInteger(size) || (size as number) < 0) {
      this.fail(`${path}.size`, `must be a whole number of bytes, not ${JSON.stringify(size)}`)
    }
    this.map(annotations, `${path}.annotations`, true)
    if (platform !== undefined && platform !== null) {
      const words = this.object(platform, `${path}.platform`)
      for (const name of ['os', 'architecture'] as const) {
        if (words && typeof words[name] !== 'string') this.fail(`${path}.platform.${name}`, 'must be a text')
      }
      this.text(words?.['variant'], `${path}.platform.variant`)
    }
  }

  descriptors(value: unknown, path: string): void {
    if (!Array.isArray(value)) return this.fail(path, 'must be a list')
    for (const [index, item] of value.entries()) this.descriptor(item, `${path}[${index}]`)
  }

  done(subject: string): void {
    if (this.issues.length > 0) throw new SpecError('ERR_INVALID_IMAGE', subject, this.issues)
  }
}

function json(text: string, subject: string, check: Check): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const issue = { path: '', message: `is not JSON: ${(cause as Error).message}` }
    throw new SpecError('ERR_INVALID_IMAGE', subject, [issue], { cause })
  }
  const fields = check.object(value, '')
  check.done(subject)
  return fields as Fields
}

/** SECURITY: a document with both could mean two things to two readers (CVE-2021-41190). */
function refuseAmbiguous(fields: Fields, check: Check): void {
  if ('manifests' in fields && ('layers' in fields || 'config' in fields)) {
    check.fail('', 'has both manifests and layers or config: it is ambiguous')
  }
  if (fields['schemaVersion'] !== 2) check.fail('schemaVersion', 'must be 2')
}

/** Throws `ERR_INVALID_IMAGE`, as the other two do. `mediaType` is the type by which the document was referenced. */
export function parseIndex(text: string, subject: string, mediaType?: string): ImageIndex {
  const check = new Check()
  const fields = json(text, subject, check)
  refuseAmbiguous(fields, check)
  sameType(fields, mediaType, check)
  fields['manifests'] ??= [] // null in layouts of old umoci
  check.descriptors(fields['manifests'], 'manifests')
  check.done(subject)
  return fields as unknown as ImageIndex
}

export function parseManifest(text: string, subject: string, mediaType?: string): ImageManifest {
  const check = new Check()
  const fields = json(text, subject, check)
  refuseAmbiguous(fields, check)
  sameType(fields, mediaType, check)
  check.descriptor(fields['config'], 'config')
  fields['layers'] ??= []
  check.descriptors(fields['layers'], 'layers')
  check.map(fields['annotations'], 'annotations', true)
  check.done(subject)
  return fields as unknown as ImageManifest
}

export function parseConfig(text: string, subject: string): ImageConfig {
  const check = new Check()
  const fields = json(text, subject, check)
  for (const name of ['architecture', 'os']) {
    if (typeof fields[name] !== 'string') check.fail(name, 'must be a text')
  }
  for (const name of ['variant', 'author', 'created', 'os.version']) check.text(fields[name], name)
  check.texts(fields['os.features'], 'os.features')
  const rootfs = check.object(fields['rootfs'], 'rootfs')
  if (rootfs && rootfs['type'] !== 'layers') check.fail('rootfs.type', "must be 'layers'")
  const diffIds = rootfs?.['diff_ids'] ?? []
  if (rootfs) rootfs['diff_ids'] = diffIds
  if (!Array.isArray(diffIds)) check.fail('rootfs.diff_ids', 'must be a list')
  else {
    for (const [index, id] of diffIds.entries()) {
      if (typeof id !== 'string' || !DIGEST.test(id))
        check.fail(`rootfs.diff_ids[${index}]`, 'must be a digest')
    }
  }
  if (fields['config'] !== undefined && fields['config'] !== null) {
    const config = check.object(fields['config'], 'config') ?? {}
    for (const name of ['Env', 'Entrypoint', 'Cmd']) check.texts(config[name], `config.${name}`)
    for (const name of ['User', 'WorkingDir', 'StopSignal']) check.text(config[name], `config.${name}`)
    check.map(config['Labels'], 'config.Labels', true)
    for (const name of ['ExposedPorts', 'Volumes']) check.map(config[name], `config.${name}`, false)
  }
  check.done(subject)
  return fields as unknown as ImageConfig
}

function sameType(fields: Fields, expected: string | undefined, check: Check): void {
  const inside = fields['mediaType']
  if (inside !== undefined && inside !== '' && expected !== undefined && inside !== expected) {
    check.fail('mediaType', `is ${JSON.stringify(inside)}, but it was referenced as ${expected}`)
  }
}
