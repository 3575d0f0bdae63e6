import { Image } from '../../../index.ts'
import type { Command } from '../../command.ts'
import { annotationChanges, configFlags, configPatch } from '../../image/config-flags.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import { historyFlags, historyOf } from '../../image/options.ts'
import { imageFlag, openEditable, platformFlag, referenceAnd, tagFlag } from '../../image/reference.ts'
import { showImage } from '../../image/result.ts'

export const config: Command = {
  name: 'config',
  usage: 'change the configuration of an image',
  argsUsage: '--image <layout>[:<tag>] [--tag <new-tag>]',
  description: `Changes fields of the configuration, without touching layers. --clear empties a field before the other
options are applied. Flags of lists may be repeated.`,
  flags: [imageFlag, tagFlag, platformFlag, ...configFlags, ...historyFlags, formatFlag],
  min: 0,
  max: 1,
  run: async (invocation) => {
    const json = isJson(invocation)
    const { flags } = invocation
    const history = historyOf(flags)
    const { image, layout, tag } = await openEditable(invocation, referenceAnd(invocation).reference)
    const made = await Image.build({
      from: image,
      layout,
      tag,
      // COMPAT(umoci): a change of fields does not update the creation time.
      config: { created: image.config?.created, ...configPatch(flags, image.config) },
      annotations: annotationChanges(flags, image.manifest.annotations ?? {}),
      history,
      createdBy: 'caisson image config',
    })
    showImage(json, made.descriptor, tag)
    return 0
  },
}
