/**
 * Parsers for Docker's documents: string, bytes or object in, validated document out. All throw `ERR_INVALID_IMAGE`.
 */
import type {
  DockerArchiveManifest,
  DockerImageConfig,
  DockerManifest,
  DockerManifestList,
} from '../docker/index.ts'
import { dockerArchive as archiveRules } from '../rule/image/archive.ts'
import { imageConfig as configRules } from '../rule/image/config.ts'
import {
  dockerManifest as manifestRules,
  dockerManifestList as listRules,
} from '../rule/image/index-and-manifest.ts'
import { dockerArchive, dockerImageConfig, dockerManifest, dockerManifestList } from '../structure/docker.ts'
import { parse, safeParse, type Kind } from './document.ts'
import { badTime } from './image.ts'
import type { DocumentInput, ParseOptions, ParseResult } from './options.ts'

const code = 'ERR_INVALID_IMAGE'
const MANIFEST: Kind<DockerManifest> = {
  name: 'Docker manifest',
  code,
  schema: dockerManifest,
  rules: [manifestRules],
  emptyLists: [['layers']],
}
const LIST: Kind<DockerManifestList> = {
  name: 'Docker manifest list',
  code,
  schema: dockerManifestList,
  rules: [listRules],
  emptyLists: [['manifests']],
}
const CONFIG: Kind<DockerImageConfig> = {
  name: 'Docker image configuration',
  code,
  schema: dockerImageConfig,
  rules: [configRules as never],
  emptyLists: [['rootfs', 'diff_ids']],
  tolerates: badTime,
}
const ARCHIVE: Kind<DockerArchiveManifest> = {
  name: 'manifest.json',
  code,
  schema: dockerArchive,
  rules: [archiveRules as never],
}

/** Manifest version 2, schema 2. */
export function parseDockerManifest(input: DocumentInput, options?: ParseOptions): DockerManifest {
  return parse(MANIFEST, input, options)
}

export function safeParseDockerManifest(
  input: DocumentInput,
  options?: ParseOptions,
): ParseResult<DockerManifest> {
  return safeParse(MANIFEST, input, options)
}

export function parseDockerManifestList(input: DocumentInput, options?: ParseOptions): DockerManifestList {
  return parse(LIST, input, options)
}

export function safeParseDockerManifestList(
  input: DocumentInput,
  options?: ParseOptions,
): ParseResult<DockerManifestList> {
  return safeParse(LIST, input, options)
}

/** The configuration of an image with Docker's extensions: `Healthcheck`, `Shell`, `OnBuild`, …. */
export function parseDockerImageConfig(input: DocumentInput, options?: ParseOptions): DockerImageConfig {
  return parse(CONFIG, input, options)
}

export function safeParseDockerImageConfig(
  input: DocumentInput,
  options?: ParseOptions,
): ParseResult<DockerImageConfig> {
  return safeParse(CONFIG, input, options)
}

/** manifest.json of `docker save`. */
export function parseDockerArchiveManifest(
  input: DocumentInput,
  options?: ParseOptions,
): DockerArchiveManifest {
  return parse(ARCHIVE, input, options)
}

export function safeParseDockerArchiveManifest(
  input: DocumentInput,
  options?: ParseOptions,
): ParseResult<DockerArchiveManifest> {
  return safeParse(ARCHIVE, input, options)
}
