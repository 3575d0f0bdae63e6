/** Node's crypto module, loaded on first use: it would be most of the cost of importing this package. */
type Crypto = typeof import('node:crypto')

let loaded: Crypto | undefined

export function nodeCrypto(): Crypto {
  return (loaded ??= process.getBuiltinModule('node:crypto'))
}

/** `crypto.hash`, one call without an object; undefined before Node 20.12 and 21.7. */
export function oneShotHash(): Crypto['hash'] | undefined {
  return nodeCrypto().hash as Crypto['hash'] | undefined
}
