/** Labels of security modules on a machine without these modules: refused, or left out where the caller says so. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Runtime, SpecError } from '../../../ts/index.ts'
import type { RuntimeSpec } from '../../../ts/spec/index.ts'
import { bundle } from '../../fixtures/bundle.ts'
import { missing, skipped } from '../../fixtures/needs.ts'
import { remains } from '../../fixtures/remains.ts'
import { scratch } from '../../fixtures/rootfs.ts'

const root = join(scratch('labels'), 'root')

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

function obstacle(): string | undefined {
  const active =
    /apparmor|selinux/.test(read('/sys/kernel/security/lsm')) ||
    read('/sys/module/apparmor/parameters/enabled').startsWith('Y') ||
    existsSync('/sys/fs/selinux/enforce')
  if (active) return 'AppArmor or SELinux is active here'
  return missing('root') && missing('userns')
}

const reason = obstacle()
const unlabelled = reason === undefined ? test : skipped(reason)

const LABELS: [string, RegExp, (spec: RuntimeSpec) => void][] = [
  [
    'process.apparmorProfile',
    /unable to apply apparmor profile: apparmor: config provided but apparmor not supported/,
    (spec) => void (spec.process!.apparmorProfile = 'caisson-test'),
  ],
  [
    'process.selinuxLabel',
    /selinux label is specified in config, but selinux is disabled or not supported/,
    (spec) => void (spec.process!.selinuxLabel = 'system_u:system_r:container_t:s0:c1,c2'),
  ],
  [
    'linux.mountLabel',
    /mount label is specified in config, but selinux is disabled or not supported/,
    (spec) => void (spec.linux!.mountLabel = 'system_u:object_r:container_file_t:s0:c1,c2'),
  ],
]

for (const [path, words, edit] of LABELS) {
  unlabelled(`${path} is refused where its module is not active, and nothing is made`, async (t) => {
    const id = `labels-${process.pid}-${path}`
    const runtime = new Runtime({ root })
    const error = await t.throwsAsync(runtime.create(id, { bundle: bundle({ edit }), stdio: 'ignore' }), {
      instanceOf: SpecError,
      code: 'ERR_UNSUPPORTED_SPEC',
    })
    t.regex(error.message, words)
    t.regex(error.hint!, /missingSecurityModule: 'warn'/)
    t.deepEqual(remains(root, id).directories, [])
  })

  unlabelled(`${path} is left out with a warning where the caller asks for that`, async (t) => {
    const warnings: string[] = []
    const runtime = new Runtime({
      root,
      missingSecurityModule: 'warn',
      onWarning: (message) => warnings.push(message),
    })
    const { exitCode } = await runtime.run({ bundle: bundle({ edit }) }, undefined, {
      id: `warned-${process.pid}-${path}`,
    })
    t.is(exitCode, 0)
    t.true(
      warnings.some((warning) => warning.startsWith(`${path} has no effect`)),
      warnings.join('; '),
    )
  })
}
