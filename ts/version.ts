/**
 * The version of this package. The addon is of the same, and so is what `--version` says; tests compare all of them.
 */
export const VERSION = '0.1.0'
