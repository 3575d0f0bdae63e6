/** Container ids. */
import { randomBytes } from 'node:crypto'
import { CaissonError } from '../../errors.ts'

/** Bundles below a state root, each created for one container. Reserved, so never an id. */
export const BUNDLES = '.bundles'

const RESERVED: ReadonlySet<string> = new Set(['.', '..', BUNDLES])

/** SECURITY: the id becomes a file name. COMPAT(runc): the same alphabet and wording. Throws `ERR_INVALID_ID`. */
export function checkId(id: string): void {
  if (typeof id !== 'string') {
    const hint = 'the id is the first argument, and options follow: create(id, options)'
    throw new CaissonError('ERR_INVALID_ID', 'missing container id', { phase: 'validate', hint })
  }
  if (/^[\w+.-]{1,255}$/.test(id) && !RESERVED.has(id)) return
  throw new CaissonError(
    'ERR_INVALID_ID',
    `invalid container ID format: ${JSON.stringify(id.slice(0, 64))}`,
    {
      phase: 'validate',
      containerId: id,
      hint: 'expected 1 to 255 letters, digits and _ + - .',
    },
  )
}

/** A random, unused id. */
export function randomId(): string {
  return `caisson-${randomBytes(8).toString('hex')}`
}
