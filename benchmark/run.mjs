// npm run bench [name …]: each benchmark runs the peers and ours in turn in one run and prints medians and ratios. As
// root everything runs in a private mount namespace, so that crun finds the v1 hugetlb hierarchy it insists on and so
// that /run, where all keep their state, is a tmpfs as on every distribution, without the host being touched.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const available = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(here, entry.name, 'main.mjs')))
  .map((entry) => entry.name)
const names = process.argv.slice(2)
const unknown = names.filter((name) => !available.includes(name))
if (unknown.length > 0) {
  console.error(`no benchmark named ${unknown.join(', ')}; there are: ${available.join(', ')}`)
  process.exit(2)
}

if (process.getuid() === 0 && !process.env.CAISSON_BENCH_NAMESPACE) {
  const withHugetlb = fileURLToPath(new URL('../scripts/with-hugetlb', import.meta.url))
  const script = 'mount -t tmpfs -o mode=0755 tmpfs /run && exec "$@"'
  const { status } = spawnSync(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'].concat(
      withHugetlb,
      process.execPath,
      process.argv.slice(1),
    ),
    { stdio: 'inherit', env: { ...process.env, CAISSON_BENCH_NAMESPACE: '1' } },
  )
  process.exit(status ?? 1)
}

const model = /model name\s*: (.*)/.exec(readFileSync('/proc/cpuinfo', 'latin1'))?.[1] ?? process.arch
console.log(`${cpus().length} × ${model}, Linux ${release()}, Node ${process.version}`)
for (const name of names.length > 0 ? names : available) {
  console.log(`\n## ${name}`)
  const { status } = spawnSync(process.execPath, ['--expose-gc', join(here, name, 'main.mjs')], {
    stdio: 'inherit',
  })
  if (status !== 0) process.exitCode = 1
}
