/** Structure of descriptors, and the grammars shared by image documents. */
import { DIGEST_REGEXP_ANCHORED } from '../../digest/grammar.ts'
import type { Descriptor, Platform } from '../image/index.ts'
import { MEDIA_TYPE_NAME } from '../media-type.ts'
import { isTimestamp } from '../timestamp.ts'
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

export const mediaType = (): Schema<string> => matching(MEDIA_TYPE_NAME, 'a media type such as text/plain')
export const digest = (): Schema<string> => matching(DIGEST_REGEXP_ANCHORED, 'a digest such as sha256:…')

export const timestamp = (): Schema<string> =>
  leaf(
    'a time of RFC 3339 such as 2026-01-31T12:00:00Z',
    (value) => typeof value === 'string' && isTimestamp(value),
  )

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
