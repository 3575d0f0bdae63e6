/** Structure of Docker's documents. */
import type {
  DockerArchiveImage,
  DockerContainerConfig,
  DockerImageConfig,
  DockerManifest,
  DockerManifestList,
  Healthcheck,
} from '../docker/index.ts'
import { descriptor } from './descriptor.ts'
import { executionShape, imageShape } from './image.ts'
import {
  list,
  mapOf,
  nullable,
  object,
  oneOf,
  optional,
  optionalFlag,
  optionalInt64,
  optionalText,
  optionalTexts,
  section,
  text,
  texts,
  type Optional,
  type Schema,
  type Shape,
} from './leaf.ts'

export function dockerManifest(): Schema<DockerManifest> {
  const entry = descriptor()
  return object<DockerManifest>({
    schemaVersion: oneOf(2),
    mediaType: text,
    config: entry,
    layers: list(entry),
  })
}

export function dockerManifestList(): Schema<DockerManifestList> {
  return object<DockerManifestList>({
    schemaVersion: oneOf(2),
    mediaType: text,
    manifests: list(descriptor()),
  })
}

export function dockerImageConfig(): Schema<DockerImageConfig> {
  const execution = containerShape()
  return object<DockerImageConfig>({
    ...imageShape(execution),
    container: optionalText,
    container_config: section(() => object<DockerContainerConfig>(execution)),
    docker_version: optionalText,
  } as Shape<DockerImageConfig>)
}

function containerShape(): Shape<DockerContainerConfig> {
  const number = optionalInt64 as Optional<number>
  return {
    ...executionShape(),
    Hostname: optionalText,
    Domainname: optionalText,
    AttachStdin: optionalFlag,
    AttachStdout: optionalFlag,
    AttachStderr: optionalFlag,
    Tty: optionalFlag,
    OpenStdin: optionalFlag,
    StdinOnce: optionalFlag,
    Image: optionalText,
    NetworkDisabled: optionalFlag,
    MacAddress: optionalText,
    OnBuild: nullable(optionalTexts),
    StopTimeout: number,
    Shell: nullable(optionalTexts),
    Healthcheck: nullable(section(healthcheck)),
    Memory: number,
    MemorySwap: number,
    CpuShares: number,
  }
}

function healthcheck(): Schema<Healthcheck> {
  const number = optionalInt64 as Optional<number>
  return object<Healthcheck>({
    Test: optionalTexts,
    Interval: number,
    Timeout: number,
    StartPeriod: number,
    StartInterval: number,
    Retries: number,
  })
}

export function dockerArchive(): Schema<DockerArchiveImage[]> {
  return list(
    object<DockerArchiveImage>({
      Config: text,
      RepoTags: nullable(optionalTexts) as Optional<string[]>,
      Layers: texts,
      Parent: optionalText,
      LayerSources: optional(mapOf(descriptor())),
    }),
  )
}
