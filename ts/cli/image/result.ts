/** The answer of verbs that make an image. */
import type { Descriptor } from '../../spec/index.ts'
import { show } from './format.ts'

export function showImage(
  json: boolean,
  { digest, size, mediaType }: Descriptor,
  tag: string | undefined,
): void {
  show(json, { digest, size, mediaType, tag: tag ?? null }, [digest])
}
