/** Times of what we make: SOURCE_DATE_EPOCH (reproducible-builds.org) where it is set. */
import { CaissonError } from '../../errors.ts'

/** The end of the year 9999, the last that RFC 3339 can say. */
export const LAST_SECOND = 253_402_300_799

/** Seconds since 1970, of the option or of the environment variable; undefined where neither says one. */
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

/** RFC 3339 of a time in seconds, default now. */
export function timestamp(epoch?: number): string {
  if (epoch === undefined) return new Date().toISOString()
  return `${new Date(epoch * 1000).toISOString().slice(0, 19)}Z`
}
