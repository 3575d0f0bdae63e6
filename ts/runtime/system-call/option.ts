/** The option `seccomp`: a profile, and who answers the calls that it notifies. */
import { SpecError } from '../../errors.ts'
import type { RuntimeSpec } from '../../spec/index.ts'
import type { Notify } from './answer.ts'

type Profile = NonNullable<NonNullable<RuntimeSpec['linux']>['seccomp']>

/**
 * `linux.seccomp` of the runtime specification, in place of the configuration's. With `notify` alone the profile of the
 * configuration stays.
 */
export type SeccompOption = (Profile | { [name in keyof Profile]?: never }) & {
  /**
   * Answers the calls whose rules have the action `SCMP_ACT_NOTIFY`, in this process. A call whose callback throws or
   * rejects fails with EIO, and the error is a warning.
   */
  notify?: Notify | undefined
}

/** The options that matter here. */
interface Options {
  seccomp?: SeccompOption | undefined
  detached?: boolean | undefined
}

export function notifyOf({ seccomp }: Options): Notify | undefined {
  return seccomp?.notify
}

/** The profile without the callback; undefined: the configuration's. */
export function profileOf({ seccomp }: Options): Profile | undefined {
  if (seccomp === undefined) return undefined
  const { notify: _, ...profile } = seccomp
  return Object.keys(profile).length > 0 ? (profile as Profile) : undefined
}

/** A container that outlives this process would lose who answers its calls. */
export function checkNotify(options: Options): void {
  if (notifyOf(options) === undefined || options.detached !== true) return
  const message =
    'conflicts with detached: calls are answered as long as this process lives; use listenerPath'
  throw new SpecError('ERR_INVALID_OPTION', 'options', [{ path: 'seccomp.notify', message }])
}
