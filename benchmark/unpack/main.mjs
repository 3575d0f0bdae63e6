// Verified unpack of one gzip layer on tmpfs and on disk, against tar and umoci; four layers at once and one after another;
// the longest block of the event loop; peak memory.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Image } from 'caisson'
import { interleave, median, report } from '../statistics.mjs'
import { makeImage } from './image.mjs'
import { Measures } from './measures.mjs'

const rounds = Number(process.env.CAISSON_BENCH_ROUNDS ?? 5)
const TMPFS = 0x01021994
const shm = existsSync('/dev/shm') ? statfsSync('/dev/shm') : undefined
const hasTmpfs = shm?.type === TMPFS && shm.bavail * shm.bsize > 6e9
const base = mkdtempSync(join(hasTmpfs ? '/dev/shm' : tmpdir(), 'caisson-bench-'))
const disk = mkdtempSync(join(process.env.CAISSON_BENCH_DISK ?? '/var/tmp', 'caisson-bench-'))

function command(...args) {
  const { status, stderr } = spawnSync(args[0], args.slice(1), { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
}

/** The time of `work` alone, into a fresh place below `folder`: clearing up before it does not count. */
const timed = (folder, work) => async () => {
  const target = join(folder, 'out')
  rmSync(target, { recursive: true, force: true })
  if (folder === disk) command('sync', '-f', disk) // nothing of the run before is still being written
  const before = performance.now()
  await work(target)
  return performance.now() - before
}

const measures = new Measures()

async function compare(folder, { blob, tar }, image) {
  const shell = (script) =>
    timed(folder, (target) => command('sh', '-c', `mkdir ${target} && ${script} -C ${target}`))
  const contenders = {
    caisson: timed(folder, (target) => measures.run(() => image.unpackRootfs(target))),
    'tar -xzf': shell(`tar -xzf ${blob}`),
    'tar -xf (no gzip)': shell(`tar -xf ${tar}`),
  }
  if (spawnSync('umoci', ['--version']).status === 0) {
    const options = process.getuid() === 0 ? [] : ['--rootless']
    contenders['umoci unpack'] = timed(folder, (target) =>
      command('umoci', 'unpack', ...options, '--image', `${base}/images:bench`, target),
    )
  } else console.log('umoci: skipped, not installed')
  report(await interleave(contenders, rounds, 1), 'caisson')
}

/** The same layer four times, each to a place of its own, as a store has layers. */
async function four(image) {
  const targets = (parent) => {
    mkdirSync(parent)
    return [1, 2, 3, 4].map((number) => join(parent, String(number)))
  }
  const contenders = {
    'four at once': timed(base, (parent) =>
      Promise.all(targets(parent).map((target) => image.unpackRootfs(target))),
    ),
    'one after another': timed(base, async (parent) => {
      for (const target of targets(parent)) await image.unpackRootfs(target)
    }),
  }
  report(await interleave(contenders, Math.min(rounds, 3), 0), 'four at once')
}

try {
  const made = await makeImage(base)
  const megabytes = (count) => (count / 1e6).toFixed(0)
  console.log(`one gzip layer: ${megabytes(made.bytes)} MB, ${megabytes(made.compressed)} MB compressed`)
  const image = await Image.open(`oci:${base}/images:bench`)
  console.log(`\n${hasTmpfs ? 'on tmpfs' : 'on disk, as there is no tmpfs of 6 GB'} (${base}):`)
  await compare(base, made, image)
  if (hasTmpfs && statfsSync(disk).type !== TMPFS) {
    console.log(`\non disk (${disk}):`)
    await compare(disk, made, image)
  }
  console.log('\nfour layers:')
  await four(image)
  console.log(
    `\nlongest block of the event loop: ${median(measures.blocks).toFixed(2)} ms (median of the maxima)`,
  )
  console.log(`peak memory: ${median(measures.memory).toFixed(0)} MiB above the process before`)
} finally {
  for (const folder of [base, disk]) rmSync(folder, { recursive: true, force: true })
}
