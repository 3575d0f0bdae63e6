// Verified unpack of one gzip layer on tmpfs, against tar and umoci; the longest block of the event loop; peak memory.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Image } from 'caisson'
import { interleave, median, report } from '../statistics.mjs'
import { makeImage } from './image.mjs'

const rounds = Number(process.env.CAISSON_BENCH_ROUNDS ?? 5)
const shm = existsSync('/dev/shm') ? statfsSync('/dev/shm') : undefined
const base = shm && shm.bavail * shm.bsize > 4e9 ? '/dev/shm' : tmpdir()
const folder = mkdtempSync(join(base, 'caisson-bench-'))
const target = join(folder, 'out')

function command(...args) {
  const { status, stderr } = spawnSync(args[0], args.slice(1), { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
}

/** The time of `work` alone: clearing up before it does not count. */
const timed = (work) => async () => {
  rmSync(target, { recursive: true, force: true })
  const before = performance.now()
  await work()
  return performance.now() - before
}

/** Kilobytes; the high-water mark of this process, started anew. */
const highWater = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1])

try {
  const { tar, blob, bytes, compressed } = await makeImage(folder)
  const megabytes = (count) => (count / 1e6).toFixed(0)
  console.log(`one gzip layer: ${megabytes(bytes)} MB, ${megabytes(compressed)} MB compressed, below ${base}`)
  const image = await Image.open(`oci:${folder}/images:bench`)
  const blocks = []
  const before = highWater()
  const contenders = {
    caisson: timed(async () => {
      const delay = monitorEventLoopDelay({ resolution: 1 })
      delay.enable()
      await image.unpackRootfs(target)
      delay.disable()
      blocks.push(delay.max / 1e6 - 1) // a timer of 1 ms is never early
    }),
    'tar -xzf': timed(() => command('sh', '-c', `mkdir ${target} && tar -xzf ${blob} -C ${target}`)),
    'tar -xf (no gzip)': timed(() => command('sh', '-c', `mkdir ${target} && tar -xf ${tar} -C ${target}`)),
  }
  if (spawnSync('umoci', ['--version']).status === 0) {
    const options = process.getuid() === 0 ? [] : ['--rootless']
    contenders['umoci unpack'] = timed(() =>
      command('umoci', 'unpack', ...options, '--image', `${folder}/images:bench`, target),
    )
  } else console.log('umoci: skipped, not installed')
  report(await interleave(contenders, rounds, 1), 'caisson')
  console.log(`longest block of the event loop: ${median(blocks).toFixed(2)} ms (median of the maxima)`)
  console.log(`peak memory: ${((highWater() - before) / 1024).toFixed(0)} MiB above the process before`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
