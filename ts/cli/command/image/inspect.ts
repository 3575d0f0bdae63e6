import type { Image } from '../../../index.ts'
import { formatPlatform } from '../../../image/platform.ts'
import type { Command } from '../../command.ts'
import { bytes, formatFlag, isJson, jsonFlag, show, table } from '../../image/format.ts'
import { limitFlag } from '../../image/limits.ts'
import { imageFlag, openImage, platformFlag, referenceAnd } from '../../image/reference.ts'

export const inspect: Command = {
  name: 'inspect',
  aliases: ['stat'],
  usage: 'show what an image says of itself',
  argsUsage: '--image <layout>[:<tag>]',
  description: `Shows manifest, configuration and history of an image, with the layer of each entry of history. With
--format json the documents as they are.`,
  flags: [imageFlag, platformFlag, limitFlag, formatFlag, jsonFlag],
  min: 0,
  max: 1,
  run: async (invocation) => {
    const json = isJson(invocation)
    await using image = await openImage(invocation, referenceAnd(invocation).reference)
    const history = steps(image)
    const { descriptor, manifest, config = null } = image
    show(json, { descriptor, manifest, config, history }, lines(image, history))
    return 0
  },
}

interface Step {
  created: string | null
  createdBy: string | null
  author: string | null
  comment: string | null
  layer: { digest: string; diffId: string | null; size: number; mediaType: string } | null
}

/** History entries with their layers, then layers without a history entry. */
function steps({ manifest, config }: Image): Step[] {
  const layers = manifest.layers.map(({ digest, size, mediaType }, index) => ({
    digest,
    diffId: config?.rootfs.diff_ids[index] ?? null,
    size,
    mediaType,
  }))
  let next = 0
  const told = (config?.history ?? []).map((entry) => ({
    created: entry.created ?? null,
    createdBy: entry.created_by ?? null,
    author: entry.author ?? null,
    comment: entry.comment ?? null,
    layer: entry.empty_layer ? null : (layers[next++] ?? null),
  }))
  const untold = layers
    .slice(next)
    .map((layer) => ({ created: null, createdBy: null, author: null, comment: null, layer }))
  return [...told, ...untold]
}

function lines({ digest, manifest, config }: Image, history: readonly Step[]): string[] {
  const facts: [string, string | null | undefined][] = [
    ['digest', digest],
    ['media type', manifest.mediaType],
    ['artifact type', manifest.artifactType],
    ['platform', config && formatPlatform(config)],
    ['created', config?.created],
    ['author', config?.author],
    ['user', config?.config?.User],
    ['entrypoint', config?.config?.Entrypoint && JSON.stringify(config.config.Entrypoint)],
    ['cmd', config?.config?.Cmd && JSON.stringify(config.config.Cmd)],
    ['working dir', config?.config?.WorkingDir],
    ['stop signal', config?.config?.StopSignal],
    ...(config?.config?.Env ?? []).map((entry): [string, string] => ['env', entry]),
    ...Object.keys(config?.config?.ExposedPorts ?? {}).map((port): [string, string] => [
      'exposed port',
      port,
    ]),
    ...Object.keys(config?.config?.Volumes ?? {}).map((path): [string, string] => ['volume', path]),
    ...pairs('label', config?.config?.Labels),
    ...pairs('annotation', manifest.annotations),
  ]
  const rows = history.map(({ layer, created, createdBy, comment }) => [
    layer?.digest ?? '<none>',
    layer ? bytes(layer.size) : '<none>',
    created ?? '<none>',
    JSON.stringify(createdBy ?? ''),
    JSON.stringify(comment ?? ''),
  ])
  const said = facts.filter((fact): fact is [string, string] => Boolean(fact[1]))
  return [
    ...table(said.map(([name, value]) => [`${name}:`, printable(value)])),
    '',
    ...table([['LAYER', 'SIZE', 'CREATED', 'CREATED BY', 'COMMENT'], ...rows]),
  ]
}

function pairs(name: string, map: Record<string, string> | null | undefined): [string, string][] {
  return Object.entries(map ?? {}).map(([key, value]) => [name, `${key}=${value}`])
}

/** SECURITY: an image must not send escape sequences to a terminal. */
function printable(text: string): string {
  return /[\p{Cc}\p{Cf}]/u.test(text)
    ? JSON.stringify(text).replaceAll(/[\u007f-\u009f\p{Cf}]/gu, '\uFFFD')
    : text
}
