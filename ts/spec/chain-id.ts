/** ChainIDs (config.md, "Layer ChainID"): the identifiers of stacks of layers. */

/** The ChainID of all the layers; undefined for an empty list. Nothing is validated. */
export function chainId(diffIds: readonly string[]): string | undefined {
  return chainIds(diffIds).at(-1)
}

/**
 * The ChainID at each layer, base first: the first is the diffID itself, every other one the SHA-256 of its
 * predecessor, a space and the diffID.
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
  // Loaded here, so that importing the package does not load OpenSSL.
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest('hex')
}
