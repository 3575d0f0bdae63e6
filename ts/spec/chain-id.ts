/** ChainIDs (config.md, "Layer ChainID"): what a stack of layers is called. */

/** The ChainID of the layers up to and including the last one; undefined for none. Nothing is validated. */
export function chainId(diffIds: readonly string[]): string | undefined {
  return chainIds(diffIds).at(-1)
}

/**
 * The ChainID at each layer, the base first: the first is the diffID itself, every further one the SHA-256 of the one
 * before, a space and the diffID.
 *
 * @example
 * ```ts
 * const config = parseImageConfig(bytes)
 * chainIds(config.rootfs.diff_ids) // one for each layer
 * ```
 */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = []
  for (const diffId of diffIds) {
    const below = chain.at(-1)
    chain.push(below === undefined ? diffId : `sha256:${sha256(`${below} ${diffId}`)}`)
  }
  return chain
}

function sha256(text: string): string {
  // Asked for here, so that importing the package does not load OpenSSL.
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest('hex')
}
