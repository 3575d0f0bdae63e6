/** The option `seccomp`: which profile, and who answers the calls that it notifies. */
import { SpecError } from '../../errors.ts'
import type { RuntimeSpec } from '../../spec/index.ts'
import type { Notify } from './answer.ts'

type Profile = NonNullable<NonNullable<RuntimeSpec['linux']>['seccomp']>

/**
 * `'default'`: the default profile (docs/seccomp.md); `'unconfined'`: none; or `linux.seccomp` of the runtime
 * specification, in place of the configuration's. With `notify` alone the profile of the configuration stays.
 */
export type SeccompOption = 'default' | 'unconfined' | SeccompProfileOption

export type SeccompProfileOption = (Profile | { [name in keyof Profile]?: never }) & {
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
  return typeof seccomp === 'object' ? seccomp.notify : undefined
}

/** The profile without the callback; undefined: the configuration's. */
export function profileOf({ seccomp }: Options): Profile | 'default' | 'unconfined' | undefined {
  if (typeof seccomp !== 'object') return seccomp
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
