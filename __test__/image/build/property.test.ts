/** Any tree survives being packed, and any change of a tree survives as a layer. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import fc from 'fast-check'
import { Image } from '../../../ts/image/index.ts'
import { editTree, type TreeEdit } from '../../fixtures/make-tree.ts'
import { needs } from '../../fixtures/needs.ts'
import { scratch } from '../../fixtures/rootfs.ts'
import { readTree, treeDifferences } from '../../fixtures/tree.ts'

const root = process.geteuid?.() === 0
const name = fc.constantFrom('a', 'b', 'c d', 'é', '!x', '-', 'z\udcff', 'n'.repeat(101))
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
const attributes = {
  path,
  mode: fc.constantFrom(0o644, 0o755, 0o4755, 0o600, ...(root ? [0, 0o1777, 0o2555] : [])),
  mtime: fc.constantFrom(0, 1, 1_234_567_890, 4_102_444_800, -5),
  uid: fc.constantFrom(0, 33, 3_000_000),
  gid: fc.constantFrom(0, 44),
}
const make = fc.record<TreeEdit>({
  ...attributes,
  do: fc.constantFrom(
    'file',
    'file',
    'directory',
    'symlink',
    'hardlink',
    'fifo',
    ...(root ? (['char'] as const) : []),
  ),
  text: fc.oneof(path, fc.constantFrom('', 'x'.repeat(5000), '/etc/passwd', '../..')),
})
const change = fc.record<TreeEdit>({
  ...attributes,
  do: fc.constantFrom('remove', 'remove', 'mode', 'touch', 'xattr'),
  text: fc.constantFrom('', 'value'),
})
const trees = fc.array(make, { maxLength: 20 })
const edits = fc.array(fc.oneof(make, change), { maxLength: 12 })

let serial = 0
const base = scratch('property')
const fresh = (): string => join(base, String(serial++))
const read = (path: string): ReturnType<typeof readTree> => readTree(path, { wholeSeconds: true })
// The error belongs into the message: that is what a log shows.
const runs = {
  numRuns: Number(process.env['CAISSON_PROPERTY_RUNS'] ?? 6),
  endOnFailure: true,
  includeErrorInReport: true,
}

const python = needs('python3')

python('a tree is the same after it was packed and unpacked', async (t) => {
  await fc.assert(
    fc.asyncProperty(trees, fc.constantFrom('gzip', 'zstd', 'none'), async (made, compression) => {
      const [tree, layout, out] = [fresh(), fresh(), fresh()]
      editTree(tree, made)
      const image = await Image.build({
        layout,
        compression,
        layers: [{ entries: [{ path: '/', source: tree }] }],
      })
      await image.unpackRootfs(out, { owners: root ? 'error' : 'skip' })
      const differences = treeDifferences(read(tree), read(out))
      if (differences.length > 0) throw new Error(differences.join('\n'))
    }),
    runs,
  )
  t.pass()
})

python('a difference applied to its base gives the changed tree', async (t) => {
  await fc.assert(
    fc.asyncProperty(trees, edits, async (made, changed) => {
      const [tree, layout, out, merged] = [fresh(), fresh(), fresh(), fresh()]
      editTree(tree, made)
      const image = await Image.build({
        layout,
        tag: 'base',
        layers: [{ entries: [{ path: '/', source: tree }] }],
      })
      editTree(tree, changed)
      const layer = { directory: tree, history: false as const }
      const { image: next, layers } = await Image.buildWithResult({
        from: image,
        layout,
        tag: 'next',
        layers: [layer],
      })
      await next.unpackRootfs(out)
      const differences = treeDifferences(read(tree), read(out))
      if (differences.length > 0)
        throw new Error(`${differences.join('\n')}\n${JSON.stringify(layers[0]!.changes)}`)
      // The same names and contents as one layer, and as an archive that is written without unpacking.
      const squashed = await next.squash({ layout })
      await squashed.unpackRootfs(merged)
      const again = treeDifferences(read(out), read(merged))
      if (again.length > 0) throw new Error(`squashed: ${again.join('\n')}`)
      const upper = await next.squash({ layout, keep: 1 })
      if (upper.manifest.layers.length !== next.manifest.layers.length && layers[0]!.descriptor) {
        throw new Error('the kept layer is gone')
      }
      const kept = fresh()
      await upper.unpackRootfs(kept)
      const still = treeDifferences(read(out), read(kept))
      if (still.length > 0) throw new Error(`squashed above the base: ${still.join('\n')}`)
      const none = await Image.buildWithResult({ from: next, layout, layers: [layer] })
      if (none.layers[0]!.descriptor)
        throw new Error(`a second difference: ${JSON.stringify(none.layers[0]!.changes)}`)
    }),
    runs,
  )
  t.pass()
})

const tar = needs('python3', 'root')

tar('GNU tar reads what is packed, and the exported root file system, as the same tree', async (t) => {
  await fc.assert(
    fc.asyncProperty(trees, async (made) => {
      const [tree, layout, out] = [fresh(), fresh(), fresh()]
      editTree(tree, made)
      const image = await Image.build({
        layout,
        compression: 'none',
        layers: [{ entries: [{ path: '/', source: tree }] }],
      })
      const { path: blob } = (await image.source.locate(image.manifest.layers[0]!.digest))!
      const { status, stderr } = spawnSync(
        'sh',
        [
          '-c',
          `mkdir "$2" && tar --xattrs --xattrs-include='*' --numeric-owner -xpf "$1" -C "$2"`,
          'sh',
          blob,
          out,
        ],
        { encoding: 'utf8' },
      )
      if (status !== 0) throw new Error(stderr)
      const differences = treeDifferences(read(tree), read(out))
      if (differences.length > 0) throw new Error(differences.join('\n'))
    }),
    { numRuns: Number(process.env['CAISSON_PROPERTY_RUNS'] ?? 6), endOnFailure: true },
  )
  t.pass()
})
