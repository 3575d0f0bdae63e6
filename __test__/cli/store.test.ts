import { spawnSync } from 'node:child_process'
import { appendFileSync, chmodSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Image, Store } from '../../ts/index.ts'
import { checkout } from '../fixtures/program.ts'
import { makeImage, storeRoot } from '../store/images.ts'

const caisson = (
  store: string,
  ...args: string[]
): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [join(checkout, 'dist/cli.js'), 'store', ...args, '--store', store], {
    encoding: 'utf8',
  })

test('ls, verify, repair, rm and gc say what is in a store and what they did', async (t) => {
  const store = new Store({ root: storeRoot(), durability: 'none' })
  const empty = caisson(store.root, 'ls', '--format', 'json')
  t.deepEqual([empty.status, JSON.parse(empty.stdout)], [0, { images: [], snapshots: [] }])
  const image = await store.import(makeImage(), { name: 'one' })
  const count = image.manifest.layers.length
  const listed = caisson(store.root, 'ls').stdout.trim().split('\n')
  t.is(listed[0], `image     one  ${image.digest}`)
  t.is(
    listed.filter((line) => /^snapshot {2}sha256:[a-f0-9]{64} {2}\d+ bytes {2}\d+ entries$/.test(line))
      .length,
    count,
  )
  const quiet = caisson(store.root, 'ls', '-q').stdout.trim().split('\n')
  t.deepEqual(quiet, ['one', ...(await store.list()).snapshots.map(({ chainId }) => chainId)])
  t.is(caisson(store.root, 'verify').stdout, `${count} snapshots and ${count + 2} blobs, 0 damaged\n`)

  const snapshot = await store.prepare(await Image.open(`oci:${store.root}:one`))
  snapshot.close()
  appendFileSync(join(snapshot.layers.at(-1)!, 'original'), '#')
  const base = snapshot.chainIds.at(-1)!
  const damaged = caisson(store.root, 'verify')
  t.is(damaged.status, 1)
  t.true(damaged.stdout.startsWith(`snapshot ${base}: its files are not as they were unpacked\n`))
  const repaired = caisson(store.root, 'repair')
  t.is(repaired.status, 0)
  t.true(repaired.stdout.endsWith(`restored snapshot ${base}\n`))
  const file = join(snapshot.layers.at(-1)!, 'original')
  const { mtime } = statSync(file)
  writeFileSync(file, 'Original')
  chmodSync(file, 0o4755)
  utimesSync(file, mtime, mtime)
  t.is(caisson(store.root, 'verify', '--no-contents').status, 0)
  t.regex(caisson(store.root, 'verify').stdout, /the content of a file is not as it was unpacked/)
  t.is(caisson(store.root, 'repair', '--no-contents').stdout, '')
  t.true(caisson(store.root, 'repair').stdout.endsWith(`restored snapshot ${base}\n`))

  t.is(caisson(store.root, 'rm', 'one').status, 0)
  t.regex(caisson(store.root, 'rm', 'one').stderr, /has no image \\"one\\"/)
  t.is(caisson(store.root, 'gc', '--unused-for', '3600').stdout.match(/removed sha256/g)?.length, count + 2)
  const collected = JSON.parse(caisson(store.root, 'gc', '-f', 'json').stdout) as { snapshots: string[] }
  t.is(collected.snapshots.length, count)
})

test('invalid arguments are refused', (t) => {
  const store = storeRoot()
  t.regex(caisson(store, 'burn').stderr, /unknown subcommand \\"burn\\"/)
  t.regex(caisson(store, 'rm').stderr, /at least one name/)
  t.regex(caisson(store, 'gc', 'x').stderr, /no arguments/)
  t.regex(caisson(store, 'ls', '--format', 'xml').stderr, /invalid format/)
})
