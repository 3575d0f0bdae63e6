/** The default profile of system calls for a configuration. */
import { defaultSeccomp } from '../../native/seccomp.ts'
import type { RuntimeSpec } from '../../spec/index.ts'

export type Seccomp = NonNullable<NonNullable<RuntimeSpec['linux']>['seccomp']>

/** The configuration of an image carries its architecture here (image-spec, conversion.md). */
const ARCHITECTURE = 'org.opencontainers.image.architecture'

/** Profiles as JSON: each configuration gets a copy of its own. */
const profiles = new Map<string, string | undefined>()

/** What programs may do with the capabilities of the configuration; undefined where there are no filters. */
export function defaultProfile(spec: RuntimeSpec): Seccomp | undefined {
  const capabilities = spec.process?.capabilities?.bounding ?? []
  const programs = spec.annotations?.[ARCHITECTURE] === '386' ? 'SCMP_ARCH_X86' : undefined
  const key = [programs, ...capabilities].join()
  if (!profiles.has(key)) profiles.set(key, defaultSeccomp(capabilities, programs))
  const profile = profiles.get(key)
  return profile === undefined ? undefined : (JSON.parse(profile) as Seccomp)
}
