/** Every rule for config.json. */
import type { RuntimeSpec } from '../../runtime/index.ts'
import { at } from '../../at.ts'
import type { Rule } from '../report.ts'
import { annotations } from './annotations.ts'
import { capabilities } from './capabilities.ts'
import { cgroupsPath } from './cgroups-path.ts'
import { devices, netDevices } from './devices.ts'
import { hiddenPaths } from './hidden-paths.ts'
import { hooks } from './hooks.ts'
import { labels } from './labels.ts'
import { mappings } from './mappings.ts'
import { intelRdt, memoryPolicy } from './memory-placement.ts'
import { mounts } from './mounts.ts'
import { namespaces } from './namespaces.ts'
import { personality } from './personality.ts'
import { process } from './process.ts'
import { resources } from './resources.ts'
import { rlimits } from './rlimits.ts'
import { root } from './root.ts'
import { scheduling } from './scheduling.ts'
import { seccomp } from './seccomp.ts'
import { sysctl } from './sysctl.ts'
import { timeOffsets } from './time-offsets.ts'
import { version } from './version.ts'

/** Rules for a section are not called without it: compiling a function costs more than running it once. */
function about(rule: Rule<RuntimeSpec>, ...sections: readonly string[]): Rule<RuntimeSpec> {
  const paths = sections.map((section) => section.split('.'))
  return (document, report) => {
    if (paths.some((path) => at(document, path) !== undefined)) rule(document, report)
  }
}

export const RUNTIME_RULES: readonly Rule<RuntimeSpec>[] = [
  version,
  root,
  namespaces,
  about(mappings, 'linux.uidMappings', 'linux.gidMappings'),
  about(timeOffsets, 'linux.timeOffsets'),
  about(mounts, 'mounts'),
  about(devices, 'linux.devices'),
  about(netDevices, 'linux.netDevices'),
  about(process, 'process'),
  about(rlimits, 'process.rlimits'),
  about(capabilities, 'process.capabilities'),
  about(scheduling, 'process.scheduler', 'process.ioPriority', 'process.execCPUAffinity'),
  about(hooks, 'hooks'),
  about(sysctl, 'linux.sysctl'),
  about(cgroupsPath, 'linux.cgroupsPath'),
  about(resources, 'linux.resources'),
  about(seccomp, 'linux.seccomp'),
  about(hiddenPaths, 'linux.maskedPaths', 'linux.readonlyPaths'),
  about(labels, 'process.apparmorProfile', 'process.selinuxLabel', 'linux.mountLabel'),
  about(intelRdt, 'linux.intelRdt'),
  about(memoryPolicy, 'linux.memoryPolicy'),
  about(personality, 'linux.personality'),
  about(annotations, 'annotations'),
]
