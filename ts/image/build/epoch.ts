/** Creation times: SOURCE_DATE_EPOCH (reproducible-builds.org) if it is set. */
import { CaissonError } from '../../errors.ts'

/** The end of the year 9999, the last one in RFC 3339. */
export const LAST_SECOND = 253_402_300_799

/** Seconds since 1970 from the option or the environment variable; undefined without either. */
export function sourceDateEpoch(option?: number): number | undefined {
  if (option !== undefined) {
    if (Number.isInteger(option) && option >= 0 && option <= LAST_SECOND) return option
    throw new CaissonError(
      'ERR_INVALID_OPTION',
      `sourceDateEpoch must be whole seconds up to the year 9999, not ${option}`,
      { phase: 'validate' },
    )
  }
  const text = process.env['SOURCE_DATE_EPOCH']
  if (text === undefined || text === '') return undefined
  if (/^\d{1,12}$/.test(text) && Number(text) <= LAST_SECOND) return Number(text)
  throw new CaissonError(
    'ERR_INVALID_OPTION',
    `the environment variable SOURCE_DATE_EPOCH must be whole seconds up to the year 9999, not ${JSON.stringify(text)}`,
    { phase: 'validate' },
  )
}

/** A time in seconds as RFC 3339; default now. */
export function timestamp(epoch?: number): string {
  if (epoch === undefined) return new Date().toISOString()
  return `${new Date(epoch * 1000).toISOString().slice(0, 19)}Z`
}
