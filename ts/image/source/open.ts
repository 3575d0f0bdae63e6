/** From a reference to the source that it names. */
import { Layout } from '../layout.ts'
import type { ImageReference } from '../reference.ts'
import type { ImageSource } from './source.ts'

/** Opens what a reference names, as far as it names a place; which image there, is for others to choose. */
export async function openSource({ path }: ImageReference): Promise<ImageSource> {
  return Layout.open(path)
}
