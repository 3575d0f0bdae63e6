// What a filter costs: compiling, loading, and each call under it, ours beside libseccomp's with and without its tree.
// The profile is the default one.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from '../../scripts/prepare.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'caisson-bench-'))
try {
  const calls = join(directory, 'calls')
  execFileSync('cc', ['-O2', '-o', calls, join(here, 'calls.c')])
  const ours = (input) =>
    execFileSync('cargo', ['run', '--quiet', '--release', '-p', 'caisson-seccomp', '--example', 'filter'], {
      cwd: root,
      input,
      encoding: 'utf8',
    }).trim()
  const profile = JSON.parse(ours(''))
  const [filter, nanoseconds] = ours(JSON.stringify(profile)).split(' ')
  const filters = [
    ['none', ''],
    ['caisson', filter, Number(nanoseconds) / 1e6],
  ]
  for (const [name, optimize] of [
    ['libseccomp, a list', false],
    ['libseccomp, its tree', true],
  ]) {
    const found = libseccomp({ ...profile, optimize })
    if (found) filters.push([name, ...found])
    else console.log(`SKIPPED: ${name}: libseccomp or Python is missing`)
  }
  const rows = filters.map(([name, hex, compiling]) => {
    const [length, loading, getppid, personality, denied] = execFileSync(calls, {
      input: hex,
      encoding: 'utf8',
    })
      .trim()
      .split(' ')
    return {
      filter: name,
      instructions: Number(length),
      'compile ms': compiling === undefined ? '' : compiling.toFixed(2),
      'load µs': (Number(loading) / 1000).toFixed(0),
      'getppid ns': getppid,
      'argument ns': personality,
      'denied ns': denied,
    }
  })
  console.table(rows)
} finally {
  rmSync(directory, { recursive: true })
}

/** The filter and the milliseconds that the library takes for one more of it. */
function libseccomp(profile) {
  const tokens = {
    X86_64: 0xc000003e,
    X86: 0x40000003,
    X32: 0x4000003e,
    AARCH64: 0xc00000b7,
    ARM: 0x40000028,
  }
  const request = {
    ...profile,
    tokens: profile.architectures.map((name) => tokens[name.replace('SCMP_ARCH_', '')]),
  }
  const script = join(root, 'crates/seccomp/tests/support/libseccomp.py')
  const compile = (count) => {
    const start = performance.now()
    const { status, stdout } = spawnSync('python3', [script], {
      input: `${JSON.stringify(request)}\n`.repeat(count),
      encoding: 'utf8',
    })
    return status === 0
      ? { milliseconds: performance.now() - start, filter: stdout.split('\n')[0] }
      : undefined
  }
  const [few, many] = [compile(1), compile(11)]
  return few && many && [few.filter, (many.milliseconds - few.milliseconds) / 10]
}
