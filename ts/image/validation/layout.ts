/** Validates an image layout in a directory or an archive: its own files, and every blob reachable from its indexes. */
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CaissonError } from '../../errors.ts'
import {
  imageProblems,
  isConfigType,
  isIndexType,
  isManifestType,
  layerCompression,
  safeParseDockerImageConfig,
  safeParseDockerManifest,
  safeParseDockerManifestList,
  safeParseImageConfig,
  safeParseImageIndex,
  safeParseImageManifest,
  safeParseLayoutHeader,
  type Descriptor,
  type DocumentInput,
  type ImageConfig,
  type ImageManifest,
  type ParseOptions,
  type ParseResult,
} from '../../spec/index.ts'
import { blobName, INDEX_FILE, LAYOUT_FILE } from '../source/layout-files.ts'
import { readBlob, readDocument } from '../source/read.ts'
import type { ImageSource } from '../source/source.ts'
import { blobsOf, readFileOf, type Find } from './files.ts'
import type { Findings } from './report.ts'

export async function validateLayout(
  findings: Findings,
  transport: ImageSource['transport'],
  path: string,
  find: Find,
): Promise<void> {
  const header = await readFileOf(find, LAYOUT_FILE)
  if (header) findings.parse(LAYOUT_FILE, 'layout header', safeParseLayoutHeader, header)
  else missing(findings, LAYOUT_FILE, 'layout header')
  const index = await readFileOf(find, INDEX_FILE)
  if (!index) return missing(findings, INDEX_FILE, 'image index')
  const top = findings.parse(INDEX_FILE, 'image index', safeParseImageIndex, index)
  const walk = new Walk(findings, blobsOf(transport, path, find))
  for (const descriptor of top?.manifests ?? []) await walk.visit(descriptor)
}

function missing(findings: Findings, file: string, kind: string): void {
  findings.add(file, kind).errors.push({ path: '', message: 'is missing', kind: 'rule' })
}

type SafeParse<T> = (input: DocumentInput, options?: ParseOptions) => ParseResult<T>

class Walk {
  readonly #findings: Findings
  readonly #source: ImageSource
  /** By digest and media type: a blob is checked once per type. */
  readonly #seen = new Map<string, unknown>()

  constructor(findings: Findings, source: ImageSource) {
    this.#findings = findings
    this.#source = source
  }

  /** The content of a document; undefined for one with errors and for any other blob. */
  async visit(descriptor: Descriptor): Promise<unknown> {
    const key = `${descriptor.digest} ${descriptor.mediaType}`
    if (this.#seen.has(key)) return this.#seen.get(key)
    this.#seen.set(key, undefined) // a cyclic index ends here
    const found = await this.#look(descriptor)
    this.#seen.set(key, found)
    return found
  }

  async #look(descriptor: Descriptor): Promise<unknown> {
    const { mediaType } = descriptor
    const docker = mediaType.startsWith('application/vnd.docker.')
    if (isIndexType(mediaType)) {
      const index = docker
        ? await this.#document<Entries>(descriptor, 'Docker manifest list', safeParseDockerManifestList)
        : await this.#document<Entries>(descriptor, 'image index', safeParseImageIndex)
      for (const entry of index?.manifests ?? []) await this.visit(entry)
      return index
    }
    if (isManifestType(mediaType)) {
      return docker
        ? this.#manifest(descriptor, 'Docker manifest', safeParseDockerManifest as SafeParse<ImageManifest>)
        : this.#manifest(descriptor, 'image manifest', safeParseImageManifest)
    }
    if (isConfigType(mediaType)) {
      return docker
        ? this.#document(descriptor, 'Docker image configuration', safeParseDockerImageConfig)
        : this.#document(descriptor, 'image configuration', safeParseImageConfig)
    }
    return this.#blob(descriptor)
  }

  async #manifest(
    descriptor: Descriptor,
    kind: string,
    safeParse: SafeParse<ImageManifest>,
  ): Promise<ImageManifest | undefined> {
    const manifest = await this.#document(descriptor, kind, safeParse)
    const place = this.#findings.documents.at(-1)
    if (!manifest) return undefined
    const config = (await this.visit(manifest.config)) as ImageConfig | undefined
    // Anything else is an artifact, whose layers are arbitrary.
    if (config && isConfigType(manifest.config.mediaType))
      place?.errors.push(...imageProblems(manifest, config))
    for (const layer of manifest.layers) await this.visit(layer)
    return manifest
  }

  async #document<T>(descriptor: Descriptor, kind: string, safeParse: SafeParse<T>): Promise<T | undefined> {
    const { mediaType } = descriptor
    try {
      const bytes = await readDocument(this.#source, descriptor)
      return this.#findings.parse(fileOf(descriptor), kind, safeParse, bytes, { mediaType })
    } catch (error) {
      this.#note(descriptor, kind, error)
      return undefined
    }
  }

  /** Size and digest of a blob that is not parsed. */
  async #blob(descriptor: Descriptor): Promise<void> {
    const kind = layerCompression(descriptor.mediaType) === undefined ? 'blob' : 'layer'
    try {
      await pipeline(readBlob(this.#source, descriptor), discard())
      this.#findings.add(fileOf(descriptor), kind)
    } catch (error) {
      this.#note(descriptor, kind, error)
    }
  }

  #note(descriptor: Descriptor, kind: string, error: unknown): void {
    if (!(error instanceof CaissonError)) throw error
    const place = this.#findings.add(fileOf(descriptor), kind)
    const issue = { path: '', message: error.message, kind: 'rule' as const }
    // image-layout.md: blobs may be missing if another store has them.
    if (error.code === 'ERR_BLOB_NOT_FOUND' || error.code === 'ERR_UNSUPPORTED_IMAGE')
      place.warnings.push(issue)
    else place.errors.push(issue)
  }
}

const discard = (): Writable => new Writable({ write: (_chunk, _encoding, done) => done() })

interface Entries {
  manifests: Descriptor[]
}

function fileOf({ digest }: Descriptor): string {
  return /^[a-z0-9]+:[a-f0-9]+$/.test(digest) ? blobName(digest) : digest
}
