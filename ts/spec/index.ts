/**
 * Every document of the OCI specifications, typed and validated: config.json and related documents, image documents,
 * and Docker's. See docs/spec.md.
 * @module
 */
export { encodeCanonical } from './canonical.ts'
export { chainId, chainIds } from './chain-id.ts'
export type * from './docker/index.ts'
export * from './image/index.ts'
export * from './json/index.ts'
export {
  isConfigType,
  isIndexType,
  isManifestType,
  isMediaType,
  isNonDistributable,
  layerCompression,
  MEDIA_TYPE,
  ociMediaType,
} from './media-type.ts'
export type { LayerCompression } from './media-type.ts'
export * from './parse/docker.ts'
export {
  parseDescriptor,
  parseImageConfig,
  parseImageIndex,
  parseImageManifest,
  parseLayoutHeader,
  safeParseDescriptor,
  safeParseImageConfig,
  safeParseImageIndex,
  safeParseImageManifest,
  safeParseLayoutHeader,
} from './parse/image.ts'
export type { DocumentInput, ParseOptions, ParseResult } from './parse/options.ts'
export { rawOf } from './parse/raw.ts'
export * from './parse/runtime.ts'
export {
  formatPlatform,
  hostPlatform,
  matchesPlatform,
  normalizePlatform,
  parsePlatform,
  platformRank,
} from './platform.ts'
export type { ExactPlatform, PlatformLike } from './platform.ts'
export { isRefName } from './ref-name.ts'
export { imageProblems } from './rule/image/manifest-and-config.ts'
export type * from './runtime/index.ts'
