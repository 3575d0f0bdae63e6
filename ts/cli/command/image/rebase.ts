import { text, type Command } from '../../command.ts'
import { formatFlag, isJson } from '../../image/format.ts'
import { limitFlag } from '../../image/limits.ts'
import {
  imageFlag,
  openEditable,
  openImage,
  platformFlag,
  referenceAnd,
  tagFlag,
  withTransport,
} from '../../image/reference.ts'
import { showImage } from '../../image/result.ts'
import { UsageError } from '../../usage-error.ts'

export const rebase: Command = {
  name: 'rebase',
  usage: 'put the layers of an image on another base',
  argsUsage: '--image <layout>[:<tag>] --base <old-base> --onto <new-base>',
  description: `Replaces the layers of the base that an image was built on by those of another base, for example of the same
distribution with its updates. No layer is written.`,
  flags: [
    imageFlag,
    tagFlag,
    platformFlag,
    limitFlag,
    { name: 'base', type: 'text', usage: 'the image that this one was built on' },
    { name: 'onto', type: 'text', usage: 'the image that takes its place' },
    formatFlag,
  ],
  min: 0,
  max: 1,
  run: async (invocation) => {
    const json = isJson(invocation)
    const { flags } = invocation
    const [base, onto] = [text(flags, 'base'), text(flags, 'onto')]
    if (base === undefined || onto === undefined) throw new UsageError('--base and --onto are needed')
    const { image, layout, tag } = await openEditable(invocation, referenceAnd(invocation).reference)
    await using old = await openImage(invocation, withTransport(base))
    await using fresh = await openImage(invocation, withTransport(onto))
    const made = await image.rebase(old, fresh, { layout, tag })
    showImage(json, made.descriptor, tag)
    return 0
  },
}
