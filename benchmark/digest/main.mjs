// SHA-256 of one 1 GiB file in memory, against Node's createHash over a file stream, sha256sum and openssl; of four
// files at once; of 64 bytes; and what importing the package costs.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { digestBytes, digestFile } from 'caisson/digest'
import { interleave, median, report } from '../statistics.mjs'

const rounds = Number(process.env.CAISSON_BENCH_ROUNDS ?? 5)
const GIBIBYTE = 1 << 30
const shm = existsSync('/dev/shm') ? statfsSync('/dev/shm') : undefined
const base = shm && shm.bavail * shm.bsize > 2.5e9 ? '/dev/shm' : tmpdir()
const folder = mkdtempSync(join(base, 'caisson-bench-'))
const files = ['one', 'two', 'three', 'four'].map((name) => join(folder, name))

function fill(path, bytes) {
  const block = Buffer.alloc(1 << 20)
  for (let at = 0; at < block.length; at += 4) block.writeInt32LE(Math.imul(at, 2_654_435_761), at)
  const file = openSync(path, 'w')
  for (let written = 0; written < bytes; written += block.length) {
    block.writeUInt32LE(written / block.length)
    writeSync(file, block)
  }
  closeSync(file)
}

function command(...args) {
  const { status, stderr, stdout } = spawnSync(args[0], args.slice(1), { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
  return stdout
}

const installed = (name) => {
  const missing = spawnSync(name, ['version']).error
  if (missing) console.log(`${name}: skipped, not installed`)
  return !missing
}

async function throughNode(path, highWaterMark) {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark })) hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}

/** Gigabytes per second of a number of bytes in milliseconds. */
const rate = (bytes, milliseconds) => (bytes / 1e6 / milliseconds).toFixed(2)

async function oneFile() {
  fill(files[0], GIBIBYTE)
  console.log(`one file of 1 GiB below ${base}`)
  const expected = await throughNode(files[0])
  const check = (digest) => {
    if (digest !== expected) throw new Error(`${digest} is not ${expected}`)
  }
  const contenders = {
    caisson: async () => check(await digestFile(files[0])),
    'createHash, file stream': async () => check(await throughNode(files[0])),
    'the same, 1 MiB chunks': async () => check(await throughNode(files[0], 1 << 20)),
    sha256sum: () => check(`sha256:${command('sha256sum', files[0]).slice(0, 64)}`),
  }
  let own
  if (installed('openssl')) {
    contenders['openssl dgst -sha256'] = () =>
      check(`sha256:${command('openssl', 'dgst', '-sha256', files[0]).trim().slice(-64)}`)
    // From memory to nowhere: the library's own speed, without any file. Its last line is in thousands of bytes a
    // second.
    contenders['openssl speed, 1 MiB'] = () => {
      const said = command('openssl', 'speed', '-evp', 'sha256', '-bytes', '1048576', '-seconds', '1')
      return GIBIBYTE / Number(/([\d.]+)k\s*$/.exec(said)[1])
    }
    own = 'openssl speed, 1 MiB'
  }
  const samples = await interleave(contenders, rounds, 1)
  report(samples, 'caisson')
  const best = median(samples.caisson)
  console.log(`caisson: ${rate(GIBIBYTE, best)} GB/s; throughput against`)
  for (const name of ['createHash, file stream', 'sha256sum', 'openssl dgst -sha256', own])
    if (samples[name]) console.log(`  ${name}: ${(median(samples[name]) / best).toFixed(2)} ×`)
}

async function fourFiles() {
  for (const path of files) fill(path, GIBIBYTE / 4)
  console.log('\nfour files of 256 MiB, and one of them')
  const samples = await interleave(
    {
      'four at once': async () => void (await Promise.all(files.map((path) => digestFile(path)))),
      'one alone': async () => void (await digestFile(files[0])),
    },
    rounds * 2,
    1,
  )
  const [four, one] = [median(samples['four at once']), median(samples['one alone'])]
  console.log(
    `one: ${rate(GIBIBYTE / 4, one)} GB/s, four: ${rate(GIBIBYTE, four)} GB/s = ${((4 * one) / four).toFixed(2)} × one`,
  )
}

function small() {
  const data = new Uint8Array(64).fill(7)
  const COUNT = 100_000
  const repeated = (work) => () => {
    for (let index = 0; index < COUNT; index++) work()
  }
  console.log('\n64 bytes, 100,000 times')
  return interleave(
    {
      digestBytes: repeated(() => digestBytes(data)),
      createHash: repeated(() => `sha256:${createHash('sha256').update(data).digest('hex')}`),
    },
    rounds * 3,
    3,
  ).then((samples) => report(samples, 'digestBytes'))
}

async function importing() {
  const empty = join(folder, 'empty.mjs')
  const imports = join(folder, 'imports.mjs')
  writeFileSync(empty, '')
  writeFileSync(imports, `import '${import.meta.resolve('caisson/digest')}'`)
  console.log(`\nstart of an empty program and of one that imports caisson/digest, Node ${process.version}`)
  const samples = await interleave(
    {
      'with the import': () => void command(process.execPath, imports),
      empty: () => void command(process.execPath, empty),
    },
    rounds * 6,
    3,
  )
  report(samples, 'with the import')
  console.log(`the import adds ${(median(samples['with the import']) - median(samples.empty)).toFixed(2)} ms`)
}

try {
  await oneFile()
  await fourFiles()
  await small()
  await importing()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
