/** kill -9 at any moment leaves old or new. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Image, Store } from '../../ts/index.ts'
import { flattenLayers } from '../../ts/native/store.ts'
import { checkout } from '../fixtures/program.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { makeImage, names, storeRoot } from './images.ts'

const ROUNDS = Number(process.env.CAISSON_CRASH_ROUNDS ?? 200)
/** Milliseconds: more than one round of the child takes. */
const LONGEST = 40

/** Imports and removes an image, over and over. */
const source = (store: string, reference: string): string => `
import { Image, Store } from ${JSON.stringify(join(checkout, 'dist/index.js'))}
const store = new Store({ root: ${JSON.stringify(store)}, durability: 'none' })
const image = await Image.open(${JSON.stringify(reference)})
process.stdout.write('x')
for (let round = 0; ; round++) {
  if (round % 2) await store.import(image, { name: 'crash' })
  else (await store.prepare(image)).close()
  await store.remove('crash').catch(() => {})
  await store.gc()
}
`

test(`${ROUNDS} kills at random moments damage nothing`, async (t) => {
  t.timeout(600_000)
  const root = storeRoot()
  const reference = makeImage()
  const file = join(scratch('crash'), 'child.mjs')
  writeFileSync(file, source(root, reference))
  const store = new Store({ root, durability: 'none' })
  const image = await Image.open(reference)
  let interrupted = 0
  const round = async (number: number): Promise<void> => {
    const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST))
    child.kill('SIGKILL')
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    t.deepEqual([code, signal], [null, 'SIGKILL'])
    if (names(root, 'ingest').length > 0) interrupted++
    const { damaged } = await store.verify()
    t.deepEqual(damaged, [], `after kill ${number}`)
    await store.list()
  }
  for (let number = 0; number < ROUNDS; number++) {
    await round(number)
    if (number % 20 > 0) continue
    // The next user is not affected, and sees the image's content.
    const target = join(scratch('crash'), 'tree')
    const snapshot = await store.prepare(image)
    await flattenLayers(snapshot.layers, target)
    t.true(names(target, '.').includes('original') && names(target, 'gone').includes('again'))
    snapshot.close()
  }
  t.true(interrupted > 0, 'some kills came in the middle of an import')
  await store.gc()
  for (const folder of ['ingest', 'snapshots/sha256', 'blobs/sha256', 'locks']) {
    t.deepEqual(names(root, folder), [], folder)
  }
})
