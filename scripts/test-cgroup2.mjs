// npm run test:cgroup2: what depends on control groups, in a virtual machine with pure cgroup v2 (scripts/cgroup2-vm),
// which is many times slower than the machine it runs on.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { prepare } from './prepare.mjs'
import { rust, skip, summary, typescript } from './suite.mjs'

const tests = [
  '__test__/conformance/cgroup-values.test.ts',
  '__test__/conformance/cgroups.test.ts',
  '__test__/conformance/resources.test.ts',
  '__test__/native/lifecycle.test.ts',
  '__test__/native/owner.test.ts',
  '__test__/runtime/lifecycle/delegation.test.ts',
  '__test__/runtime/lifecycle/lifecycle.test.ts',
  '__test__/runtime/process/run.test.ts',
  '__test__/security/cgroup.test.ts',
]
const machine = ['scripts/cgroup2-vm', '--timeout', '1500', '--']
const crate = ['-p', 'caisson-cgroup']

prepare()
const missing = ['qemu-system-x86_64', 'cpio', '/bin/busybox'].filter(
  (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0,
)
if (existsSync('/sys/fs/cgroup/cgroup.controllers'))
  skip('cgroup v2', 'this machine has it: npm test has shown it')
else if (missing.length > 0) skip('cgroup v2', `needs ${missing.join(', ')} (scripts/install-test-tools)`)
else {
  await typescript(['--timeout=15m', ...tests], { name: 'TypeScript on cgroup v2', under: machine })
  spawnSync('cargo', ['test', ...crate, '--no-run', '--quiet'], { stdio: 'inherit' }) // not in there
  await rust({ name: 'Rust on cgroup v2', under: machine, selection: [...crate, '--offline'] })
}
summary()
