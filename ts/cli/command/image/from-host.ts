import { Image } from '../../../index.ts'
import { list, type Command } from '../../command.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import { imageFlag, referenceAnd, targetOf } from '../../image/reference.ts'
import { showImage } from '../../image/result.ts'

export const fromHost: Command = {
  name: 'from-host',
  usage: "make an image of this host's own programs",
  argsUsage: '--image <layout>[:<tag>] [--program <name>]...',
  description: `Packs programs of this host, with the libraries that they need, into an image: a first one without a network. The
layout is made where it is missing. Without --program a shell and a handful of tools are taken.`,
  flags: [
    imageFlag,
    {
      name: 'program',
      type: 'list',
      usage: 'a name on the search path, or an absolute path; may be repeated',
    },
    formatFlag,
  ],
  min: 0,
  max: 1,
  run: async (invocation) => {
    const json = isJson(invocation)
    const { path: layout, tag = 'latest' } = targetOf(referenceAnd(invocation).reference)
    const programs = list(invocation.flags, 'program')
    const image = await Image.fromHost({ layout, tag, ...(programs.length > 0 ? { programs } : {}) })
    showImage(json, image.descriptor, tag)
    return 0
  },
}
