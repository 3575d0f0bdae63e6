/** Checks shared by several calls: images, layouts, platforms, ids, limits. */
import {
  callback,
  either,
  filled,
  has,
  isObject,
  isText,
  list,
  named,
  needed,
  object,
  oneOf,
  path,
  signal,
  such,
  text,
  whole,
  type Check,
  type Known,
} from '../../options.ts'
import type { HistoryOptions, IdRange } from '../build/content.ts'
import type { IdMappings } from '../id-mappings.ts'
import type { ImageLimits } from '../limits.ts'
import type { Platform } from '../platform.ts'

/** A string of the caller: an empty one is an unset variable. */
export const word: Check = such('a text that is not empty', isText)
const isWithoutNul = (value: unknown): boolean => typeof value === 'string' && !value.includes('\0')
/** A string that the kernel does not truncate. */
export const kernelText: Check = such('a text without NUL', isWithoutNul)
/** Arguments for execve(2). */
export const args: Check = list(kernelText)
/** An undefined value removes a variable. */
export const env: Check = named(
  such(kernelText.takes, (value) => value === undefined || isWithoutNul(value)),
  (name) => isText(name) && !name.includes('='),
)
export const cwd: Check = such('an absolute path', (value) => isText(value) && value.startsWith('/'))
/** Also accepts an image of another copy of the package. */
export const image: Check = such(
  'an opened image',
  (value) =>
    has(value, 'layers', 'runnable', 'diffIds') && isObject((value as { manifest?: unknown }).manifest),
)
export const layout: Check = either(
  path,
  such('a Layout', (value) => has(value, 'protect', 'writeBlob', 'update', 'tag')),
)
export const descriptor: Check = such('a descriptor with mediaType, digest and size', (value) => {
  if (!isObject(value)) return false
  const { mediaType, digest, size } = value
  return typeof mediaType === 'string' && typeof digest === 'string' && typeof size === 'number'
})

export const platformParts: Check = object({
  os: needed(word),
  architecture: needed(word),
  variant: text,
  'os.version': text,
  'os.features': either(oneOf(null), list(text)),
} satisfies Known<Platform>)
export const platform: Check = either(such("a text such as 'linux/arm64'", isText), platformParts)

const MAX_ID = 2 ** 32 - 1
export const id: Check = whole(0, MAX_ID - 1)
export const idRanges: Check = list(
  object({
    container: needed(whole(0, MAX_ID)),
    host: needed(whole(0, MAX_ID)),
    size: needed(whole(0, MAX_ID)),
  } satisfies Known<IdRange>),
)
const mappings: Check = filled(
  list(
    object({
      containerID: needed(whole(0, MAX_ID)),
      hostID: needed(whole(0, MAX_ID)),
      size: needed(whole(1, MAX_ID)),
    }),
  ),
)
export const idMappings: Check = either(
  oneOf('subordinate'),
  object({ uidMappings: needed(mappings), gidMappings: needed(mappings) } satisfies Known<IdMappings>),
)

export const limits: Check = object({
  bytes: whole(1),
  entries: whole(1),
  depth: whole(1),
  headerBytes: whole(1),
  ratio: whole(1),
} satisfies Known<ImageLimits>)

export const history: Check = either(
  oneOf(false),
  object({ author: text, comment: text, created: text, createdBy: text } satisfies Known<HistoryOptions>),
)

export const operation: { readonly signal: Check; readonly onProgress: Check } = {
  signal,
  onProgress: callback,
}
