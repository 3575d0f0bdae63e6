/** Sizes as people write them. */
import { SpecError } from '../../errors.ts'

const units: Record<string, number> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

/** Bytes as a number, or with a unit: `'64MiB'`, `'64M'`, `'1.5g'`. Units are powers of 1024, as in runc and Docker. */
export type Size = number | string

/** The number of bytes. Throws `ERR_INVALID_OPTION`; `option` names the option in the message. */
export function parseSize(size: Size, option: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(String(size).trim())
  const bytes = match ? Math.floor(Number(match[1]) * (units[match[2]!.toLowerCase()] ?? NaN)) : NaN
  if (Number.isSafeInteger(bytes)) return bytes
  throw new SpecError('ERR_INVALID_OPTION', 'options', [
    {
      path: option,
      message: `invalid size ${JSON.stringify(size)}: expected a number of bytes or a string such as '64MiB'`,
    },
  ])
}
