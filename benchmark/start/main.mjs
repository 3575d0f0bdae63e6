// create + start + wait + delete of /bin/true with runc's default configuration: alone, against heap size, its longest
// block of the event loop, a hundred at once, and the memory that stays behind a running container.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Runtime } from 'caisson'
import { interleave, median, report } from '../statistics.mjs'
import { defaultBundle, have } from './bundle.mjs'
import { caisson, floor, peer } from './contenders.mjs'

const rounds = Number(process.env.ROUNDS ?? 100)
if (!have('runc')) {
  console.log(
    'skipped: runc is missing (scripts/install-test-tools); it writes the configuration that is measured',
  )
  process.exit(0)
}
const bundle = defaultBundle()
const peers = ['crun', 'runc'].filter(have)

/** The contenders of one heap size: `caisson` and crun, each called from a process with that much live data. */
if (process.argv[2] === 'heap') {
  const keep = []
  for (let mebibytes = Number(process.argv[3]); mebibytes > 0; mebibytes -= 8) {
    keep.push(Array.from({ length: 1 << 18 }, (_, index) => ({ index, mebibytes }))) // about 8 MiB of small objects
  }
  const samples = await interleave(
    { caisson: caisson(bundle), crun: peer('crun', bundle) },
    Math.ceil(rounds / 4),
  )
  console.log(JSON.stringify({ rss: process.memoryUsage().rss, samples, kept: keep.length }))
  process.exit(0)
}

console.log(`\none start after the other, ${rounds} rounds`)
const ground = floor(bundle)
const contenders = { caisson: caisson(bundle), floor: ground.start }
for (const name of peers) contenders[name] = peer(name, bundle)
const samples = await interleave(contenders, rounds)
ground.close()
report(samples, 'caisson')
console.log(`caisson - floor = ${(median(samples.caisson) - median(samples.floor)).toFixed(2)} ms`)

console.log('\nlongest block of the event loop per start')
const once = caisson(bundle)
const maxima = []
for (let round = 0; round < rounds; round++) {
  let longest = 0
  let last = performance.now()
  let running = true
  const watch = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    if (running) setImmediate(watch)
  }
  setImmediate(watch)
  await once()
  running = false
  maxima.push(longest)
}
console.log(
  `median of the maxima ${median(maxima).toFixed(2)} ms (largest ${Math.max(...maxima).toFixed(2)} ms)`,
)

if (peers.includes('crun')) {
  console.log('\nan empty heap against 1 GiB of live heap in the calling process')
  const medians = {}
  for (const mebibytes of [0, 1024]) {
    const { stdout, status } = spawnSync(
      process.execPath,
      ['--max-old-space-size=6000', fileURLToPath(import.meta.url), 'heap', String(mebibytes)],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    )
    if (status !== 0) throw new Error('the run with a large heap failed')
    const { rss, samples } = JSON.parse(stdout)
    medians[mebibytes] = { caisson: median(samples.caisson), crun: median(samples.crun) }
    console.log(
      `heap ${String(mebibytes).padStart(4)} MiB (rss ${(rss / 2 ** 20).toFixed(0)} MiB): caisson ${median(samples.caisson).toFixed(2)} ms, crun ${median(samples.crun).toFixed(2)} ms`,
    )
  }
  for (const name of ['caisson', 'crun']) {
    console.log(`${name}: 1 GiB / empty = ${(medians[1024][name] / medians[0][name]).toFixed(2)}`)
  }

  console.log('\n100 containers started in parallel, all awaited')
  const all = (start) => async () => void (await Promise.all(Array.from({ length: 100 }, start)))
  report(
    await interleave({ caisson: all(caisson(bundle)), crun: all(peer('crun', bundle)) }, 7, 1),
    'caisson',
  )
}

console.log('\nresident memory of our own processes per running container')
const runtime = new Runtime({ onWarning: () => {} })
const sleepers = defaultBundle(['/bin/sleep', '60'])
const count = 20
const containers = []
for (let index = 0; index < count; index++) {
  const container = await runtime.create(`bench-memory-${process.pid}-${index}`, {
    bundle: sleepers,
    stdio: 'ignore',
  })
  await container.start()
  containers.push(container)
}
// Every process whose executable is our helper: the guard, and whatever else we might have left running.
const own = readdirSync('/proc').filter((name) => {
  try {
    return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/exe`).includes('caisson-init')
  } catch {
    return false
  }
})
const rss = (pid) => Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0)
const guards = own.filter((pid) => readFileSync(`/proc/${pid}/comm`, 'latin1').trim() === 'caisson-guard')
const others = own.filter((pid) => !guards.includes(pid))
console.log(
  `${count} containers: ${others.length} processes of ours beside the programs, ${(others.reduce((sum, pid) => sum + rss(pid), 0) / count).toFixed(1)} KiB per container; guard ${guards.map((pid) => `${rss(pid)} KiB`).join(', ')}`,
)
for (const container of containers) await container.delete({ force: true })
