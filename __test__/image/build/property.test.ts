/**
 * Any tree survives being packed, any change of a tree survives as a layer, and every reader sees the same tree.
 */
import { spawnSync } from 'node:child_process'
import { createWriteStream, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import test from 'ava'
import { Image, Store } from '../../../ts/image/index.ts'
import { editTree, type TreeEdit } from '../../fixtures/make-tree.ts'
import { missing, needs } from '../../fixtures/needs.ts'
import fc from '../../fixtures/property.ts'
import { scratch } from '../../fixtures/rootfs.ts'
import { readTree, treeDifferences, type Tree } from '../../fixtures/tree.ts'
import { tar as archive, writeLayout } from '../fixture.ts'
import { stacks } from '../layer-stacks.ts'

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
// The message includes the error, because a log shows only the message.
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
    runs,
  )
  t.pass()
})

/** Copies the kernel's overlay of layers in overlayfs's form; returns the kernel's error if it refuses them. */
function overlaid(layers: string[], out: string): string {
  const empty = fresh()
  const mounted = fresh()
  for (const path of [empty, mounted, out]) mkdirSync(path)
  const { stderr } = spawnSync(
    'unshare',
    [
      '--mount',
      'sh',
      '-ec',
      'mount -t overlay overlay -o "$1" "$2"; cp -a "$2/." "$3"',
      'sh',
      `lowerdir=${[...layers, empty].join(':')},redirect_dir=nofollow,metacopy=off,index=off`,
      mounted,
      out,
    ],
    { encoding: 'utf8' },
  )
  return stderr
}

function overlays(): typeof test {
  const [lower, out] = [fresh(), fresh()]
  mkdirSync(lower)
  const reason = missing('root', 'python3') ?? (overlaid([lower], out) || undefined)
  if (!reason) return test
  return ((title: string, implementation: () => void) => {
    console.error(`skipped: ${title}: ${reason}`)
    test.skip(title, implementation)
  }) as unknown as typeof test
}

overlays()(
  'layers are one tree, unpacked, mounted, exported, squashed, mapped and as a difference',
  async (t) => {
    const shift = 100_000
    const ids = [{ containerID: 0, hostID: shift, size: 100_000 }]
    const same = (what: string, ours: Tree, theirs: Tree): void => {
      const differences = treeDifferences(ours, theirs)
      if (differences.length > 0) throw new Error(`${what}: ${differences.slice(0, 10).join('\n')}`)
    }
    const open = async (layers: Buffer[]): Promise<Image> => {
      const layout = fresh()
      writeLayout(layout, layers)
      return Image.open(`oci:${layout}:test`)
    }
    const unpacked = async (image: Image): Promise<string> => {
      const out = fresh()
      await image.unpackRootfs(out)
      return out
    }
    const snapshot = async (image: Image, store: Store): Promise<string> => {
      using made = await store.prepare(image)
      const out = fresh()
      const refused = overlaid(made.layers, out)
      if (refused) throw new Error(`mounting: ${refused}`)
      return out
    }
    let complete = 0
    await fc.assert(
      fc.asyncProperty(stacks, async (stack) => {
        const layers = stack.map((entries) => archive(entries))
        const store = new Store({ root: fresh(), durability: 'none' })
        const image = await open(layers)
        const file = fresh()
        const exporting = (): Promise<void> => pipeline(image.exportRootfs(), createWriteStream(file))
        let flat: string
        try {
          flat = await unpacked(image)
        } catch (error) {
          const { message } = error as Error
          for (const way of [exporting, () => store.prepare(image)]) {
            const refused = await way().then(
              () => false,
              () => true,
            )
            if (!refused) throw new Error(`only one way is refused: ${message}`, { cause: error })
          }
          return
        }
        complete++
        // A copied-up file is a new inode, without the other names of the old one.
        const links = stack.flat().some(({ type }) => type === '1')
        const apart = (tree: Tree): Tree => {
          if (links) for (const entry of tree.values()) delete entry.same
          return tree
        }
        same('mounted', apart(readTree(flat)), apart(readTree(await snapshot(image, store))))

        await exporting()
        await using exported = await Image.open(`tar:${file}`)
        same('exported', read(flat), read(await unpacked(exported)))

        const mapped = fresh()
        await image.unpackRootfs(mapped, { idMappings: { uidMappings: ids, gidMappings: ids } })
        const host = readTree(flat)
        for (const entry of host.values()) {
          entry.uid += shift
          entry.gid += shift
        }
        same('mapped', host, readTree(mapped))

        for (let keep = 0; keep < layers.length; keep++) {
          const squashed = await image.squash({ layout: fresh(), ...(keep > 0 ? { keep } : {}) })
          same(`squashed above ${keep}`, read(flat), read(await unpacked(squashed)))
          same(
            `squashed above ${keep}, mounted`,
            apart(read(flat)),
            apart(read(await snapshot(squashed, store))),
          )
          if (keep === 0) continue
          const below = await open(layers.slice(0, keep))
          const changed = await Image.build({
            from: below,
            layout: fresh(),
            layers: [{ directory: flat, history: false }],
          })
          // The time of a directory that no layer mentions is not compared with one on disk.
          const untimed = (path: string): Tree =>
            readTree(path, { wholeSeconds: true, withoutDirectoryTimes: true })
          same(`a difference to ${keep}`, untimed(flat), untimed(await unpacked(changed)))
        }
      }),
      runs,
    )
    t.true(complete > 0)
  },
)
