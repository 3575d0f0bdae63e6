/** kill -9 at any moment: output is complete or absent, and nothing else stays. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { changesSince, copyImage, Image, Layout } from '../../ts/image/index.ts'
import { lockDirectory } from '../../ts/native/lock.ts'
import { checkout } from '../fixtures/program.ts'
import { needs, skipped } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'

const ROUNDS = Number(process.env.CAISSON_CRASH_ROUNDS ?? 10)
/** Milliseconds: more than one turn of the child takes. */
const LONGEST = 60

/** Whether files without a name can be made there (O_TMPFILE, open(2)). */
function hasUnnamed(folder: string): boolean {
  try {
    closeSync(openSync(folder, constants.O_RDWR | 0o20000000 | constants.O_DIRECTORY, 0o600))
    return true
  } catch {
    return false
  }
}

interface Scene {
  folder: string
  reference: string
}

async function scene(): Promise<Scene> {
  const folder = join(scratch('killed'), 'here')
  mkdirSync(folder)
  const layout = join(folder, '../images')
  const entries = [...Array(40).keys()].map((number) => ({
    path: `/directory/${number}`,
    content: Buffer.alloc(100_000, number),
  }))
  await Image.build({ layout, tag: 'test', compression: 'none', layers: [{ entries }] })
  return { folder, reference: `oci:${layout}:test` }
}

/**
 * Runs `turn` again and again in a process of its own, and kills that in the middle of one. `check` looks each time.
 */
async function killed(
  t: ExecutionContext,
  { folder, reference }: Scene,
  turn: string,
  check: () => Promise<void>,
): Promise<void> {
  const file = join(folder, '../child.mjs')
  writeFileSync(
    file,
    `import { copyImage, Image, Layout, snapshot } from ${JSON.stringify(join(checkout, 'dist/index.js'))}
const [folder, reference] = ${JSON.stringify([folder, reference])}
process.chdir(folder)
const image = await Image.open(reference)
process.stdout.write('x')
for (let turn = 0; ; turn++) {
  const name = process.argv[2] + '-' + turn
  ${turn}
}
`,
  )
  for (let round = 0; round < ROUNDS; round++) {
    const child = spawn(process.execPath, [file, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST))
    child.kill('SIGKILL')
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    t.deepEqual([code, signal], [null, 'SIGKILL'])
    await check()
  }
}

async function isWhole(t: ExecutionContext, reference: string): Promise<void> {
  await using image = await Image.open(reference)
  t.deepEqual((await image.verify()).problems, [], reference)
}

/** Everything but archives of the child. */
const others = (folder: string): string[] => readdirSync(folder).filter((name) => !/^[\d-]+$/.test(name))

const unnamed = hasUnnamed(scratch('killed'))
  ? needs()
  : skipped('the file system has no files without a name (O_TMPFILE)')

unnamed('new archives and manifests appear whole, and nothing is beside them', async (t) => {
  const here = await scene()
  const { folder } = here
  await using image = await Image.open(here.reference)
  await image.unpackRootfs(join(folder, '../tree'))
  const turn = `
  await copyImage(reference, { to: (turn % 2 ? 'oci-archive:' : 'docker-archive:') + name })
  await snapshot(folder + '/../tree', name + '-0')`
  const seen = new Set<string>()
  await killed(t, here, turn, async () => {
    t.deepEqual(others(folder), [])
    for (const name of readdirSync(folder).filter((each) => !seen.has(each))) {
      seen.add(name)
      const [, number, isManifest] = name.split('-')
      if (isManifest === undefined) {
        await isWhole(t, `${Number(number) % 2 ? 'oci' : 'docker'}-archive:${join(folder, name)}`)
      } else await snapshotIs(t, join(folder, name), join(folder, '../tree'))
    }
  })
})

async function snapshotIs(t: ExecutionContext, manifest: string, tree: string): Promise<void> {
  t.deepEqual(await changesSince(manifest, tree), [])
}

needs()(
  'an archive that is replaced is the old or the new one, and the next replacement leaves nothing',
  async (t) => {
    const here = await scene()
    const { folder } = here
    const to = `oci-archive:${folder}/same`
    await copyImage(here.reference, { to })
    await killed(
      t,
      here,
      `await copyImage(reference, { to: 'oci-archive:same', overwrite: true })`,
      async () => {
        await isWhole(t, to)
        await copyImage(here.reference, { to, overwrite: true })
        t.deepEqual(readdirSync(folder), ['same'])
      },
    )
  },
)

needs()(
  'a layout is one after every write, and garbage collection leaves nothing of those that died',
  async (t) => {
    const here = await scene()
    const { folder } = here
    const turn = `
  const to = 'oci:out:t' + (turn % 5)
  await copyImage(reference, { to })
  await Image.build({ from: await Image.open(to), layout: 'out', tag: 'b' + (turn % 5), layers: [{ entries: [{ path: '/x', content: name }] }] })
  await (await Layout.open('out')).collectGarbage()`
    const path = join(folder, 'out')
    await killed(t, here, turn, async () => {
      const layout = await Layout.create(path)
      for (const tag of await layout.tags()) await isWhole(t, `oci:${path}:${tag}`)
      await copyImage(here.reference, { to: `oci:${path}:mine` })
      await layout.collectGarbage()
      const left = readdirSync(path, { recursive: true }).filter((name) => String(name).includes('.caisson-'))
      t.deepEqual(left, [])
    })
  },
)

needs()(
  'a tree appears whole, and what a killed process left goes with the next one beside it',
  async (t) => {
    const here = await scene()
    const { folder } = here
    await using image = await Image.open(here.reference)
    let next = 0
    await killed(t, here, `await image.unpackRootfs(name)`, async () => {
      await image.unpackRootfs(join(folder, `0-0-${next++}`))
      t.deepEqual(others(folder), [])
      for (const name of readdirSync(folder)) {
        t.is(readdirSync(join(folder, name, 'directory')).length, 40)
        t.true(existsSync(join(folder, name, 'directory/39')))
      }
    })
  },
)

needs()('only unused files of ours are swept', async (t) => {
  const { folder, reference } = await scene()
  await using image = await Image.open(reference)
  mkdirSync(join(folder, '.caisson-1-2-3/closed'), { recursive: true })
  chmodSync(join(folder, '.caisson-1-2-3/closed'), 0)
  mkdirSync(join(folder, '.caisson-mine'))
  writeFileSync(join(folder, '.caisson-4-5-6'), 'a file')
  const used = join(folder, '.caisson-7-8-9')
  mkdirSync(used)
  using _ = await lockDirectory(used, 'shared')
  await image.unpackRootfs(join(folder, 'tree'))
  t.deepEqual(readdirSync(folder).sort(), ['.caisson-4-5-6', '.caisson-7-8-9', '.caisson-mine', 'tree'])
})
