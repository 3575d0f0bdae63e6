/** BLAKE3, for those who register it. */
import { nativeHasher } from '../native/digest.ts'
import { addonProviders, type AlgorithmProvider } from './algorithm.ts'

/**
 * BLAKE3 with 256 bits, as the image specification registers it. Computed by the addon, which is loaded by its first use;
 * nothing changes until it is registered.
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
