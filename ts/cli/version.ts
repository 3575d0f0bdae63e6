export { VERSION } from '../version.ts'
/** The runtime specification this is written against. */
export const SPEC_VERSION = '1.3.0'
