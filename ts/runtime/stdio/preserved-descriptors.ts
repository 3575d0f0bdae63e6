/** Which descriptors of this process a container may inherit. */
import { readlinkSync } from 'node:fs'
import { SpecError } from '../../errors.ts'

/** One message holds 253 descriptors (SCM_MAX_FD): these, six that every start has, and the cgroup's. */
const MOST = 246

/**
 * Throws unless descriptors 3 to 2 + `count` were inherited. Node opens an epoll instance before anything else: one
 * in the place of an inherited descriptor shows that there was none.
 */
export function checkPreserved(count: number): void {
  if (!Number.isInteger(count) || count < 0)
    throw invalid(`invalid count ${count}: expected a whole number from 0 up`)
  if (count > MOST) throw invalid(`is ${count}; at most ${MOST} descriptors can be handed on`)
  for (let descriptor = 3; descriptor < 3 + count; descriptor++) {
    // SECURITY: Node's own descriptors would let the program watch and wake this process.
    if (target(descriptor) === 'anon_inode:[eventpoll]' || target(descriptor) === undefined)
      throw invalid(`descriptor ${descriptor} (of ${count}) was not handed to this process`)
  }
}

function target(descriptor: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    return undefined
  }
}

const invalid = (message: string): SpecError =>
  new SpecError('ERR_INVALID_OPTION', 'options', [{ path: 'preserveFds', message }])
