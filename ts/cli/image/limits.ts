/** The command-line flags for image limits. */
import type { ImageLimits } from '../../index.ts'
import { parseSize } from '../../runtime/source/size.ts'
import { list } from '../command.ts'
import type { Flag, FlagValues } from '../flags.ts'
import { UsageError } from '../usage-error.ts'

/** The properties of `limits`, and whether each is a number of bytes. */
const LIMITS: Readonly<Record<keyof ImageLimits, boolean>> = {
  bytes: true,
  entries: false,
  depth: false,
  headerBytes: true,
  ratio: false,
}

export const limitFlag: Flag = {
  name: 'limit',
  type: 'list',
  usage:
    'NAME=VALUE, how much the image may ask for: bytes (64G), entries (4000000), depth (512), headerBytes (1M) or ratio (500); may be repeated',
}

/** Throws {@link UsageError}. */
export function limitsOf(flags: FlagValues): ImageLimits | undefined {
  const given = list(flags, 'limit').map(limit)
  return given.length === 0 ? undefined : Object.fromEntries(given)
}

function limit(text: string): [string, number] {
  const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? []
  if (!Object.hasOwn(LIMITS, name)) {
    const names = Object.keys(LIMITS).join(', ')
    throw new UsageError(
      `invalid limit ${JSON.stringify(text)}: write NAME=VALUE, where the name is one of ${names}`,
    )
  }
  const isBytes = LIMITS[name as keyof ImageLimits]
  const number = isBytes ? bytesOf(value) : /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (Number.isSafeInteger(number) && number > 0) return [name, number]
  const takes = isBytes ? 'bytes above 0 or a size such as 10G' : 'a whole number above 0'
  throw new UsageError(`invalid limit ${JSON.stringify(text)}: ${name} takes ${takes}`)
}

function bytesOf(value: string): number {
  try {
    return parseSize(value, 'limit')
  } catch {
    return Number.NaN
  }
}
