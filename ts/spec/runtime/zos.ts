/** `zos` of config.json (config-zos.md): typed, passed through. */

/** config-zos.md. */
export interface Zos {
  namespaces?: ZosNamespace[]
}

/** config-zos.md, "Namespaces". */
export interface ZosNamespace {
  type: 'mount' | 'pid' | 'uts' | 'ipc'
  /** Joined instead of made. */
  path?: string
}
