import { lstatSync } from 'node:fs'
import { Image, type LayerEntry } from '../../../index.ts'
import { on, type Command } from '../../command.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import { limitFlag } from '../../image/limits.ts'
import {
  compressionFlags,
  compressionOf,
  historyFlags,
  historyOf,
  ownerFlags,
  ownersOf,
} from '../../image/options.ts'
import { progress } from '../../image/progress.ts'
import { imageFlag, openEditable, platformFlag, referenceAnd, tagFlag } from '../../image/reference.ts'
import { showImage } from '../../image/result.ts'
import { UsageError } from '../../usage-error.ts'

export const insert: Command = {
  name: 'insert',
  usage: 'add a file or directory to an image as a layer',
  argsUsage: '--image <layout>[:<tag>] [--opaque] <source> <target> | --whiteout <target>',
  description: `Adds a file or a directory of the host, with all below it, as a new layer, without unpacking the image. With
--whiteout a path is removed instead; with --opaque a directory takes the place of the one that is there.`,
  flags: [
    imageFlag,
    tagFlag,
    platformFlag,
    limitFlag,
    { name: 'whiteout', type: 'switch', usage: 'remove the target' },
    { name: 'opaque', type: 'switch', usage: 'hide what the target directory had in it' },
    ...ownerFlags,
    ...compressionFlags,
    ...historyFlags,
    formatFlag,
  ],
  min: 1,
  max: 3,
  run: async (invocation) => {
    const { flags, context } = invocation
    const json = isJson(invocation)
    const [whiteout, opaque] = [on(flags, 'whiteout'), on(flags, 'opaque')]
    if (whiteout && opaque) throw new UsageError('--whiteout and --opaque contradict each other')
    const { reference, rest } = referenceAnd(invocation, ...(whiteout ? ['target'] : ['source', 'target']))
    const target = rest.at(-1)!
    const entries: LayerEntry[] = []
    if (whiteout) entries.push({ path: target, remove: true })
    else entries.push({ path: target, source: rest[0]!, ...ownersOf(flags) })
    // COMPAT(umoci): a file replaces an existing entry in any case.
    const isDirectory = lstatSync(rest[0]!, { throwIfNoEntry: false })?.isDirectory()
    if (opaque && isDirectory) entries.push({ path: target, opaque: true })
    const layer = { entries, history: historyOf(flags) }
    const { image, layout, tag } = await openEditable(invocation, reference)
    using bar = progress('packing')
    const options = { from: image, layout, tag, createdBy: 'caisson image insert', ...compressionOf(flags) }
    const made = await Image.buildWithResult({ ...options, layers: [layer], onProgress: bar.update })
    for (const warning of made.layers[0]!.warnings) context.log.warning(warning)
    showImage(json, made.image.descriptor, tag)
    return 0
  },
}
