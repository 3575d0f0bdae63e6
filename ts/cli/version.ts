/** What `--version` says; a test compares it with package.json. */
export const VERSION = '0.1.0'
/** The runtime specification this is written against. */
export const SPEC_VERSION = '1.3.0'
