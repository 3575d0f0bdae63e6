/** Structure of descriptors, and the grammars every image document uses. */
import { DIGEST_REGEXP_ANCHORED } from '../../digest/grammar.ts'
import type { Descriptor, Platform } from '../image/index.ts'
import { MEDIA_TYPE_NAME } from '../media-type.ts'
import {
  leaf,
  matching,
  object,
  optional,
  optionalText,
  optionalTextMap,
  optionalTexts,
  section,
  text,
  textsMatching,
  whole,
  type Schema,
} from './leaf.ts'

/** RFC 3986, absolute. */
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:(?:[\w\-.~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*$/
/** RFC 4648, section 4, with padding. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))$/

export const mediaType = (): Schema<string> => matching(MEDIA_TYPE_NAME, 'a media type such as text/plain')
export const digest = (): Schema<string> => matching(DIGEST_REGEXP_ANCHORED, 'a digest such as sha256:…')

/** RFC 3339 with a day and a time that exist; a second 60 is a leap second. */
export const timestamp = (): Schema<string> =>
  leaf('a time of RFC 3339 such as 2026-01-31T12:00:00Z', (value) => {
    const parts = typeof value === 'string' && RFC_3339.exec(value)
    if (!parts) return false
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, zoneHour = 0, zoneMinute = 0] =
      parts.slice(1).map((part) => Number(part ?? 0))
    const days = month === 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31
    return (
      month >= 1 &&
      month <= 12 &&
      day >= 1 &&
      day <= days &&
      hour <= 23 &&
      minute <= 59 &&
      second <= 60 &&
      zoneHour <= 23 &&
      zoneMinute <= 59
    )
  })

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0

export function descriptor(): Schema<Descriptor> {
  const type = mediaType()
  return object<Descriptor>({
    mediaType: type,
    digest: digest(),
    size: whole(0, Number.MAX_SAFE_INTEGER),
    urls: optional(textsMatching(URI, 'an absolute URI')),
    annotations: optionalTextMap,
    data: optional(matching(BASE64, 'base64 with padding')),
    artifactType: optional(type),
    platform: section(platform),
  })
}

function platform(): Schema<Platform> {
  return object<Platform>({
    architecture: text,
    os: text,
    variant: optionalText,
    'os.version': optionalText,
    'os.features': optionalTexts,
  })
}
