/** The configurations of the differential test: each changes runc's default in one way. */
import { docker } from '../engines/docker.ts'
import { kubernetes } from '../engines/kubernetes.ts'
import { machines } from '../engines/machines.ts'
import { podman } from '../engines/podman.ts'
import { devices } from './devices.ts'
import type { Configuration } from './edit.ts'
import { hookTable } from './hooks.ts'
import { mountTable } from './mounts.ts'
import { namespaces } from './namespaces.ts'
import { processes } from './process.ts'
import { refusals } from './refusals.ts'
import { limits } from './resources.ts'
import { roots } from './root.ts'
import { filters } from './seccomp.ts'

export type { Configuration } from './edit.ts'

const subjects = [processes, namespaces, roots, mountTable, devices, limits, hookTable, filters, refusals]
/** As engines write them. */
const engines = [docker, kubernetes, podman, machines]

export const configurations: Configuration[] = [...subjects, ...engines].flatMap((table) =>
  Object.entries(table).map(([name, rest]) => ({ name, ...rest })),
)
