/** The image reference: `--image` as in umoci, or the first argument. */
import { CaissonError, Image, Layout, parseReference, type ImageReference } from '../../index.ts'
import { isForeign } from '../../image/reference.ts'
import { text, type Invocation } from '../command.ts'
import type { Flag } from '../flags.ts'
import { limitsOf } from './limits.ts'
import { UsageError } from '../usage-error.ts'

export const imageFlag: Flag = {
  name: 'image',
  type: 'text',
  usage: 'the image, DIRECTORY[:TAG] or with a transport (oci:…); otherwise the first argument',
}

export const layoutFlag: Flag = {
  name: 'layout',
  type: 'text',
  usage: 'the layout directory; otherwise the first argument',
}

export const tagFlag: Flag = {
  name: 'tag',
  type: 'text',
  usage: 'the name of the new image; otherwise the old name',
}

export const platformFlag: Flag = {
  name: 'platform',
  type: 'text',
  usage: 'os/architecture[/variant] in place of this machine',
}

const TRANSPORT = /^(oci|oci-archive|docker-archive|tar|dir):/

/** umoci's form has no transport. A directory that looks like one is written as ./oci:… */
export function withTransport(reference: string): string {
  return TRANSPORT.test(reference) || isForeign(reference) ? reference : `oci:${reference}`
}

/** For verbs that take several references; `--image` is the first one. */
export function references({ flags, args }: Invocation, min: number, max: number): string[] {
  const flag = text(flags, 'image')
  const all = flag === undefined ? args : [flag, ...args]
  if (all.includes('')) throw new UsageError('an image is needed, not an empty argument')
  if (all.length < min || all.length > max)
    throw new UsageError(`${max === Infinity ? 'at least ' : ''}${min} images are needed, not ${all.length}`)
  return all.map(withTransport)
}

/** The reference, and exactly one other argument for each name. */
export function referenceAnd(
  invocation: Invocation,
  ...names: string[]
): { reference: string; rest: string[] } {
  const flag = text(invocation.flags, 'image')
  const [first, ...others] = invocation.args
  const reference = flag ?? first
  const rest = flag === undefined ? others : invocation.args
  if (!reference) throw new UsageError('an image is needed: --image DIRECTORY:TAG')
  if (rest.length !== names.length) {
    const wanted = names.length === 0 ? 'no more arguments' : names.map((name) => `<${name}>`).join(' ')
    throw new UsageError(`after the image ${wanted} must follow, not ${JSON.stringify(rest)}`)
  }
  // An unset variable of a script: '' would be the current directory, or an empty name.
  if (rest.includes('')) throw new UsageError(`<${names[rest.indexOf('')]}> is empty`)
  return { reference: withTransport(reference), rest }
}

/** A layout directory, by flag or as the one argument. */
export function layoutPath({ flags, args }: Invocation): string {
  const path = text(flags, 'layout') ?? args[0]
  const extra = text(flags, 'layout') === undefined ? args.slice(1) : args
  if (!path || extra.length > 0) throw new UsageError('a layout is needed: --layout DIRECTORY')
  return path.replace(/^oci:/, '')
}

/** An image in a layout that can be changed, and the name of the result. */
export interface Editable {
  image: Image
  layout: Layout
  tag: string | undefined
}

/** COMPAT(umoci): the only image of a tag is read and changed whatever its platform. */
export async function openImage({ flags }: Invocation, reference: string): Promise<Image> {
  return Image.open(reference, {
    platform: text(flags, 'platform'),
    anyPlatform: true,
    limits: limitsOf(flags),
  })
}

/** An image for this platform, or for a given one. */
export async function openRunnable({ flags }: Invocation, reference: string): Promise<Image> {
  return Image.open(reference, { platform: text(flags, 'platform'), limits: limitsOf(flags) })
}

/** For the bundle of an image without a program, which is changed and packed again. */
export function argsOf({ config }: Image): string[] | undefined {
  const { Entrypoint, Cmd } = config?.config ?? {}
  return (Entrypoint ?? []).length + (Cmd ?? []).length > 0 ? undefined : ['sh']
}

export async function openEditable(invocation: Invocation, reference: string): Promise<Editable> {
  const parsed = inLayout(reference)
  const layout = await Layout.open(parsed.path)
  return {
    image: await openImage(invocation, reference),
    layout,
    tag: text(invocation.flags, 'tag') ?? parsed.tag,
  }
}

/** The target of a new image: a tag, never a digest, which depends on the content. */
export function targetOf(reference: string): ImageReference {
  const parsed = inLayout(reference)
  if (parsed.digest === undefined) return parsed
  throw new UsageError(`${reference}: a new image has a digest of its own: write DIRECTORY[:TAG]`, false)
}

export function inLayout(reference: string): ImageReference {
  const parsed = parseReference(reference)
  if (parsed.transport === 'oci') return parsed
  throw new CaissonError(
    'ERR_INVALID_OPTION',
    `${reference} cannot be written to; copy it to a layout first`,
    {
      phase: 'validate',
      hint: 'caisson image copy',
    },
  )
}
