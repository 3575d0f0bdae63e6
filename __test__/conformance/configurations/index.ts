/** The configurations of the differential test: each changes runc's default in one way. */
import { devices } from './devices.ts'
import type { Configuration } from './edit.ts'
import { hookTable } from './hooks.ts'
import { mountTable } from './mounts.ts'
import { namespaces } from './namespaces.ts'
import { processes } from './process.ts'
import { refusals } from './refusals.ts'
import { limits } from './resources.ts'
import { roots } from './root.ts'

export type { Configuration } from './edit.ts'

const tables = [processes, namespaces, roots, mountTable, devices, limits, hookTable, refusals]

export const configurations: Configuration[] = tables.flatMap((table) =>
  Object.entries(table).map(([name, rest]) => ({ name, ...rest })),
)
