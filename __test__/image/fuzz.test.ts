/**
 * Mutated documents: with any index, manifest or configuration an image opens or is refused with a code, never by
 * accident. Documents of real tools are kept in corpus/ as seeds.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import test from 'ava'
import { Image } from '../../ts/image/index.ts'
import { CaissonError } from '../../ts/errors.ts'
import { scratch, sha256 } from './fixture.ts'
import fc from '../fixtures/property.ts'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
interface Documents {
  index: Json
  manifest: Json
  config: Json
}

const folder = fileURLToPath(new URL('./corpus', import.meta.url))
const seeds = readdirSync(folder).map(
  (name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Documents,
)

/** Every place in a document, as the keys that lead there. */
function places(value: Json, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path]
  const inner = Object.keys(value).flatMap((key) =>
    places((value as Record<string, Json>)[key]!, [...path, key]),
  )
  return [path, ...inner]
}

function replaced(value: Json, [key, ...rest]: (string | number)[], by: Json | undefined): Json | undefined {
  if (key === undefined) return by
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, Json>
  const inner = replaced(copy[key]!, rest, by)
  if (inner === undefined) delete copy[key]
  else copy[key] = inner
  return copy
}

const odd = fc.oneof(
  fc.constantFrom<Json | undefined>(
    undefined,
    null,
    true,
    -1,
    0.5,
    2 ** 53,
    1e300,
    '',
    'sha256:../../../../etc/passwd',
    `sha256:${'a'.repeat(64)}`,
    'sha256:ABC',
    'blake3:00',
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.oci.image.manifest.v1+json',
    '__proto__',
    [],
    {},
    [null],
    [[]],
    { manifests: [] },
    'layers',
    'linux',
    'é\u0000',
  ),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
)
const change = fc.record({
  seed: fc.nat(),
  document: fc.constantFrom<keyof Documents>('index', 'manifest', 'config'),
  place: fc.nat(),
  by: odd,
  /** Whether the digests that lead to a changed document are set right. */
  mended: fc.boolean(),
})

/** Writes the three documents, each named by the digest of the one before it is changed. */
function write(path: string, { index, manifest, config }: Documents, mended: boolean): void {
  mkdirSync(join(path, 'blobs/sha256'), { recursive: true })
  writeFileSync(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  const put = (document: Json, descriptor: unknown): void => {
    const text = JSON.stringify(document)
    writeFileSync(join(path, 'blobs/sha256', sha256(text).slice(7)), text)
    if (mended && typeof descriptor === 'object' && descriptor !== null)
      Object.assign(descriptor, { digest: sha256(text), size: Buffer.byteLength(text) })
  }
  put(config, (manifest as { config?: unknown } | null)?.config)
  put(manifest, (index as { manifests?: unknown[] } | null)?.manifests?.[0])
  writeFileSync(join(path, 'index.json'), JSON.stringify(index))
}

test('changed documents are read or refused by name', async (t) => {
  const base = scratch(t)
  let count = 0
  const runs = Number(process.env['CAISSON_FUZZ_ROUNDS'] ?? 600)
  let opened = 0
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
      const documents = structuredClone(seeds[(changes[0]?.seed ?? 0) % seeds.length]!)
      for (const { document, place, by } of changes) {
        const all = places(documents[document])
        const value = replaced(documents[document], all[place % all.length]!, by)
        if (value !== undefined) documents[document] = value
      }
      const path = join(base, String((count += 1)))
      write(path, documents, changes[0]!.mended)
      try {
        const image = await Image.open(`oci:${path}`)
        await image.missing()
        opened += 1
        await image.unpackRootfs(join(path, 'rootfs'))
      } catch (error) {
        if (error instanceof CaissonError) return
        throw error
      }
    }),
    { numRuns: runs, seed: 4 },
  )
  t.true(opened > runs / 20, 'many are read')
})

test('the documents of the corpus are read as they are', async (t) => {
  for (const [index, documents] of seeds.entries()) {
    const path = join(scratch(t), String(index))
    write(path, structuredClone(documents), true)
    const image = await Image.open(`oci:${path}`, { platform: 'linux/amd64' })
    t.is(image.config?.rootfs.diff_ids.length, image.manifest.layers.length)
  }
})
