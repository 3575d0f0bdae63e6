/** Structure of image indexes, manifests, configurations and layout headers. */
import type {
  ImageConfig,
  ImageExecution,
  ImageHistory,
  ImageIndex,
  ImageManifest,
  LayoutHeader,
} from '../image/index.ts'
import { descriptor, mediaType, timestamp } from './descriptor.ts'
import {
  list,
  mapOf,
  nullable,
  object,
  oneOf,
  optional,
  optionalFlag,
  optionalText,
  optionalTextMap,
  optionalTexts,
  section,
  text,
  texts,
  type Schema,
  type Shape,
} from './leaf.ts'

export function imageIndex(): Schema<ImageIndex> {
  const [entry, type] = [descriptor(), optional(mediaType())]
  return object<ImageIndex>({
    schemaVersion: oneOf(2),
    mediaType: type,
    artifactType: type,
    manifests: list(entry),
    subject: optional(entry),
    annotations: optionalTextMap,
  })
}

export function imageManifest(): Schema<ImageManifest> {
  const [entry, type] = [descriptor(), optional(mediaType())]
  return object<ImageManifest>({
    schemaVersion: oneOf(2),
    mediaType: type,
    artifactType: type,
    config: entry,
    // At least one, unless the reader is lenient: rule/manifest.ts.
    layers: list(entry),
    subject: optional(entry),
    annotations: optionalTextMap,
  })
}

export function imageConfig(): Schema<ImageConfig> {
  return object<ImageConfig>(imageShape(executionShape()))
}

/** Includes Docker's extensions of `config`. */
export function imageShape<T extends ImageExecution>(execution: Shape<T>): Shape<ImageConfig> {
  return {
    created: optional(timestamp()),
    author: optionalText,
    architecture: text,
    os: text,
    variant: optionalText,
    'os.version': optionalText,
    'os.features': optionalTexts,
    config: section(() => object<T>(execution)),
    rootfs: object<ImageConfig['rootfs']>({ type: oneOf('layers'), diff_ids: texts }),
    history: section(history),
  }
}

export function executionShape(): Shape<ImageExecution> {
  // The JSON schema allows null for these four.
  const [empty, list] = [optional(mapOf(object<object>({}))), nullable(optionalTexts)]
  return {
    User: optionalText,
    ExposedPorts: empty,
    Env: optionalTexts,
    Entrypoint: list,
    Cmd: list,
    Volumes: nullable(empty),
    WorkingDir: optionalText,
    Labels: nullable(optionalTextMap),
    StopSignal: optionalText,
    ArgsEscaped: optionalFlag,
  }
}

function history(): Schema<ImageHistory[]> {
  return list(
    object<ImageHistory>({
      created: optional(timestamp()),
      author: optionalText,
      created_by: optionalText,
      comment: optionalText,
      empty_layer: optionalFlag,
    }),
  )
}

export function layoutHeader(): Schema<LayoutHeader> {
  return object<LayoutHeader>({ imageLayoutVersion: oneOf('1.0.0') })
}
