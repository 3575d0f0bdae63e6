// Writing one layer of a tree of at least 500 MB and 10,000 files on tmpfs, with digest and diffID, against tar piped
// into the usual compressors; the sizes beside the times, and the longest block of the event loop.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Image } from 'caisson'
import { interleave, median, report } from '../statistics.mjs'
import { makeImage } from '../unpack/image.mjs'

const rounds = Number(process.env.CAISSON_BENCH_ROUNDS ?? 5)
const shm = existsSync('/dev/shm') ? statfsSync('/dev/shm') : undefined
const base = shm && shm.bavail * shm.bsize > 4e9 ? '/dev/shm' : tmpdir()
const folder = mkdtempSync(join(base, 'caisson-bench-'))
const tree = join(folder, 'tree')
const output = join(folder, 'out')
const sizes = new Map()

function command(script) {
  const { status, stderr } = spawnSync('bash', ['-c', `set -o pipefail; ${script}`], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${script}: ${stderr}`)
}

/** The time of `work` alone: clearing up before it does not count. */
const timed = (name, work) => async () => {
  rmSync(output, { recursive: true, force: true })
  const before = performance.now()
  const size = await work()
  const taken = performance.now() - before
  sizes.set(name, size ?? statSync(output).size)
  return taken
}

const peer = (name, script) => [name, timed(name, () => command(script))]

try {
  const { tar, bytes } = await makeImage(folder)
  mkdirSync(tree)
  command(`tar -xf ${tar} -C ${tree} && rm ${tar}`)
  const files = Number(spawnSync('sh', ['-c', `find ${tree} | wc -l`], { encoding: 'utf8' }).stdout)
  console.log(`${files} files, ${(bytes / 1e6).toFixed(0)} MB, below ${base}`)
  const blocks = []
  const ours = (name, options) => [
    name,
    timed(name, async () => {
      const delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()
      const image = await Image.build({
        layout: output,
        tag: 'bench',
        layers: [{ entries: [{ path: '/', source: tree }] }],
        ...options,
      })
      delay.disable()
      blocks.push(delay.max / 1e6 - 1) // a timer of 1 ms is never early
      return image.manifest.layers[0].size
    }),
  ]
  const has = (name) => spawnSync(name, ['--version']).error === undefined
  const contenders = Object.fromEntries([
    ours('caisson gzip', {}),
    ours('caisson gzip, one thread', { threads: 1 }),
    ours('caisson zstd', { compression: 'zstd' }),
    peer('tar | gzip -6', `tar -C ${tree} -c . | gzip -6 > ${output}`),
    ...(has('pigz') ? [peer('tar | pigz -6', `tar -C ${tree} -c . | pigz -6 > ${output}`)] : []),
    ...(has('zstd') ? [peer('tar | zstd -3 -T0', `tar -C ${tree} -c . | zstd -q -3 -T0 > ${output}`)] : []),
  ])
  report(await interleave(contenders, rounds, 1), 'caisson gzip')
  for (const [name, size] of sizes) console.log(`${name}: ${(size / 1e6).toFixed(1)} MB`)
  console.log(`longest block of the event loop: ${median(blocks).toFixed(2)} ms (median of the maxima)`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
