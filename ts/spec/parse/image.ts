/** Parsers for documents of the image specification: string, bytes or object in, validated document out. */
import type { Descriptor, ImageConfig, ImageIndex, ImageManifest, LayoutHeader } from '../image/index.ts'
import { imageConfig as configRules } from '../rule/image/config.ts'
import { descriptor as descriptorRules } from '../rule/image/descriptor.ts'
import { imageIndex as indexRules, imageManifest as manifestRules } from '../rule/image/index-and-manifest.ts'
import { descriptor } from '../structure/descriptor.ts'
import { imageConfig, imageIndex, imageManifest, layoutHeader } from '../structure/image.ts'
import { parse, safeParse, type Kind } from './document.ts'
import type { DocumentInput, ParseOptions, ParseResult } from './options.ts'

const code = 'ERR_INVALID_IMAGE'
const DESCRIPTOR: Kind<Descriptor> = {
  name: 'descriptor',
  code,
  schema: descriptor,
  rules: [(document, report) => descriptorRules(document, '', report)],
}
const INDEX: Kind<ImageIndex> = {
  name: 'image index',
  code,
  schema: imageIndex,
  rules: [indexRules],
  emptyLists: [['manifests']],
}
const MANIFEST: Kind<ImageManifest> = {
  name: 'image manifest',
  code,
  schema: imageManifest,
  rules: [manifestRules],
  emptyLists: [['layers']],
}
const CONFIG: Kind<ImageConfig> = {
  name: 'image configuration',
  code,
  schema: imageConfig,
  rules: [configRules],
  emptyLists: [['rootfs', 'diff_ids']],
  tolerates: badTime,
}
const HEADER: Kind<LayoutHeader> = { name: 'oci-layout', code, schema: layoutHeader, rules: [] }

/** A content descriptor. Like all parsers here, throws `SpecError` `ERR_INVALID_IMAGE` that lists every issue. */
export function parseDescriptor(input: DocumentInput, options?: ParseOptions): Descriptor {
  return parse(DESCRIPTOR, input, options)
}

export function safeParseDescriptor(input: DocumentInput, options?: ParseOptions): ParseResult<Descriptor> {
  return safeParse(DESCRIPTOR, input, options)
}

/** An image index, or index.json of a layout. The lenient mode also accepts Docker's manifest list. */
export function parseImageIndex(input: DocumentInput, options?: ParseOptions): ImageIndex {
  return parse(INDEX, input, options)
}

export function safeParseImageIndex(input: DocumentInput, options?: ParseOptions): ParseResult<ImageIndex> {
  return safeParse(INDEX, input, options)
}

/**
 * An image manifest. The lenient mode also accepts Docker's.
 *
 * @example
 * ```ts
 * const manifest = parseImageManifest(bytes, { mediaType: descriptor.mediaType })
 * for (const layer of manifest.layers) console.log(layer.digest, layer.size)
 * ```
 */
export function parseImageManifest(input: DocumentInput, options?: ParseOptions): ImageManifest {
  return parse(MANIFEST, input, options)
}

export function safeParseImageManifest(
  input: DocumentInput,
  options?: ParseOptions,
): ParseResult<ImageManifest> {
  return safeParse(MANIFEST, input, options)
}

/** The configuration of an image; Docker's extensions are kept, and `parseDockerImageConfig` types them. */
export function parseImageConfig(input: DocumentInput, options?: ParseOptions): ImageConfig {
  return parse(CONFIG, input, options)
}

export function safeParseImageConfig(input: DocumentInput, options?: ParseOptions): ParseResult<ImageConfig> {
  return safeParse(CONFIG, input, options)
}

/** The file `oci-layout`. */
export function parseLayoutHeader(input: DocumentInput, options?: ParseOptions): LayoutHeader {
  return parse(HEADER, input, options)
}

export function safeParseLayoutHeader(
  input: DocumentInput,
  options?: ParseOptions,
): ParseResult<LayoutHeader> {
  return safeParse(HEADER, input, options)
}

/** An image with an invalid time can still be unpacked. */
export function badTime(keys: readonly PropertyKey[], found: unknown): boolean {
  return keys.at(-1) === 'created' && typeof found === 'string'
}
