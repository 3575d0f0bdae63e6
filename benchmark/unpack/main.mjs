// Verified unpack of one gzip layer on tmpfs and on disk, against tar and umoci; four layers at once and one after
// another; the longest block of the event loop; peak memory.
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

/** The time of `work` alone, into a fresh place in memory: clearing up before it does not count. */
const inMemory = (work) => async () => {
  const target = join(base, 'out')
  rmSync(target, { recursive: true, force: true })
  const before = performance.now()
  await work(target)
  return performance.now() - before
}

/**
 * The same on disk, where nothing is cleared up until the end: ext4 without a journal looks through all inodes that
 * were freed within the last minutes for every new file (`recently_deleted`), which would be most of what is measured.
 */
const onDisk = (work) => async () => {
  const target = mkdtempSync(join(disk, 'run-'))
  command('sync', '-f', disk) // nothing of the run before is still being written
  const before = performance.now()
  await work(join(target, 'out'))
  return performance.now() - before
}

const measures = new Measures()

async function compare(timed, { blob, tar }, image, rounds) {
  const shell = (script) =>
    timed((target) => command('sh', '-c', `mkdir ${target} && ${script} -C ${target}`))
  const contenders = {
    caisson: timed((target) => measures.run(() => image.unpackRootfs(target))),
    'tar -xzf': shell(`tar -xzf ${blob}`),
    'tar -xf (no gzip)': shell(`tar -xf ${tar}`),
  }
  if (spawnSync('umoci', ['--version']).status === 0) {
    const options = process.getuid() === 0 ? [] : ['--rootless']
    contenders['umoci unpack'] = timed((target) =>
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
    'four at once': inMemory((parent) =>
      Promise.all(targets(parent).map((target) => image.unpackRootfs(target))),
    ),
    'one after another': inMemory(async (parent) => {
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
  await compare(inMemory, made, image, rounds)
  if (hasTmpfs && statfsSync(disk).type !== TMPFS) {
    // One round to warm up, each with up to four trees.
    const { bavail, bsize } = statfsSync(disk)
    const fitting = Math.floor((bavail * bsize) / (made.bytes * 1.2) / 4) - 1
    console.log(`\non disk (${disk}):`)
    if (fitting < 1) console.log('skipped: not enough space')
    else await compare(onDisk, made, image, Math.min(rounds, fitting))
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
