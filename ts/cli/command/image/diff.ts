import type { ImageDifference, LayerSummary, ValueDifference } from '../../../index.ts'
import { on, type Command } from '../../command.ts'
import { formatFlag, isJson, show } from '../../image/format.ts'
import { limitFlag } from '../../image/limits.ts'
import { imageFlag, openImage, platformFlag, references } from '../../image/reference.ts'

export const diff: Command = {
  name: 'diff',
  usage: 'tell why two images differ',
  argsUsage: '<image> <image>',
  description: `Compares manifest, configuration, layers and the root file systems file by file: A is only in the second one, D
only in the first, C differs, with what differs. The exit status is 0 for the same image, 1 otherwise.`,
  flags: [
    imageFlag,
    platformFlag,
    limitFlag,
    { name: 'no-files', type: 'switch', usage: 'do not compare the files' },
    formatFlag,
  ],
  min: 1,
  max: 2,
  run: async (invocation) => {
    const json = isJson(invocation)
    const [left, right] = references(invocation, 2, 2) as [string, string]
    await using first = await openImage(invocation, left)
    await using second = await openImage(invocation, right)
    const difference = await first.diff(second, { files: !on(invocation.flags, 'no-files') })
    show(json, difference, difference.identical ? [] : lines(difference))
    return difference.identical ? 0 : 1
  },
}

const LETTER: Record<string, string> = { added: 'A', removed: 'D', changed: 'C' }

function lines({ left, right, manifest, config, layers, files }: ImageDifference): string[] {
  return [
    `- ${left}`,
    `+ ${right}`,
    ...manifest.map((value) => valueLine('manifest', value)),
    ...config.map((value) => valueLine('config', value)),
    ...layers.map(
      (layer) =>
        `layer ${layer.index}: ${summary(layer.left)} -> ${summary(layer.right)}${layer.sameContent ? ' (same content)' : ''}`,
    ),
    ...(files ?? []).map(
      ({ change, path, what }) =>
        `${LETTER[change]} ${JSON.stringify(`/${path}`).slice(1, -1)}${what.length > 0 ? ` (${what.join(', ')})` : ''}`,
    ),
  ]
}

function valueLine(document: string, { path, left, right }: ValueDifference): string {
  return `${document}: ${path}: ${JSON.stringify(left) ?? 'nothing'} -> ${JSON.stringify(right) ?? 'nothing'}`
}

function summary(layer: LayerSummary | undefined): string {
  return layer ? `${layer.digest.slice(0, 19)} ${layer.mediaType.split('.').at(-1)} ${layer.size}` : 'nothing'
}
