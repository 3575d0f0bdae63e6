/** BLAKE3, for programs that register it. */
import { nativeHasher } from '../native/digest.ts'
import { addonProviders, type AlgorithmProvider } from './algorithm.ts'

/**
 * BLAKE3 with 256 bits, as registered by the image specification. The addon computes it and is loaded on first use. The
 * algorithm must be registered to have an effect.
 *
 * @example
 * ```ts
 * registerAlgorithm('blake3', blake3())
 * digestString('', 'blake3') // 'blake3:af1349b9…'
 * ```
 */
export function blake3(): AlgorithmProvider {
  const provider: AlgorithmProvider = { size: 32, create: () => nativeHasher('blake3') }
  addonProviders.set(provider, 'blake3')
  return provider
}
