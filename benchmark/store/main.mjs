// The store: a warm run of an image against the same root file system as a plain bundle, and four gzip layers taken in
// one after the other and at the same time.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Image, Runtime, Store } from 'caisson'
import { interleave, median, report } from '../statistics.mjs'
import { makeFourLayers } from './layers.mjs'

const rounds = Number(process.env.CAISSON_BENCH_ROUNDS ?? 60)
const folder = mkdtempSync(join(tmpdir(), 'caisson-bench-store-'))
// States are in memory by default, too.
const states = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'caisson-bench-state-'))

try {
  const reference = `oci:${folder}/images:bench`
  const image = await Image.fromHost({
    layout: join(folder, 'images'),
    tag: 'bench',
    programs: ['true', 'sh'],
  })
  const store = new Store({ root: join(folder, 'store') })
  const runtime = new Runtime({ root: join(states, 'run'), store, onWarning: () => {} })
  const bundle = join(folder, 'bundle')
  await image.unpack(bundle, { args: ['true'], rootless: process.getuid() !== 0 })
  const options = { stdio: 'ignore' }
  const contenders = {
    'run, plain bundle': async () => void (await runtime.run({ bundle }, undefined, options)),
    'run, image opened': async () => void (await runtime.run(image, ['true'], options)),
    'run, by reference': async () => void (await runtime.run(reference, ['true'], options)),
    'run, opened, tmpfs': async () =>
      void (await runtime.run(image, ['true'], { ...options, writable: 'tmpfs' })),
    'run, host': async () => void (await runtime.run('host', ['true'], options)),
  }
  console.log(`\nwarm runs, ${rounds} rounds`)
  const samples = await interleave(contenders, rounds)
  report(samples, 'run, plain bundle')
  const added = median(samples['run, image opened']) - median(samples['run, plain bundle'])
  console.log(`image from the store - plain bundle = ${added.toFixed(2)} ms`)

  console.log(`\nfour gzip layers into a new store, ${availableParallelism()} processors`)
  mkdirSync(join(folder, 'four'))
  const bytes = makeFourLayers(join(folder, 'four'))
  const four = await Image.open(`oci:${folder}/four:bench`)
  console.log(`${(bytes / 1e6).toFixed(0)} MB each`)
  let serial = 0
  const cold = (workers) => async () => {
    const root = join(folder, `cold-${serial++}`)
    const cold = new Store({ root, workers, durability: 'none' })
    const before = performance.now()
    ;(await cold.prepare(four)).close()
    const time = performance.now() - before
    rmSync(root, { recursive: true, force: true })
    return time
  }
  report(
    await interleave(
      { 'at the same time': cold(availableParallelism()), 'one after the other': cold(1) },
      Math.min(rounds, 7),
      1,
    ),
    'at the same time',
  )
} finally {
  for (const made of [folder, states]) rmSync(made, { recursive: true, force: true })
}
