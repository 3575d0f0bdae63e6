/** `zos` of config.json (config-zos.md): typed, passed through. */

/** config-zos.md. */
export interface Zos {
  /** "Namespaces". */
  namespaces?: ZosNamespace[]
}

/** config-zos.md, "Namespaces". */
export interface ZosNamespace {
  /** One entry at most for each. */
  type: 'mount' | 'pid' | 'uts' | 'ipc'
  /** Joined instead of made. */
  path?: string
}
