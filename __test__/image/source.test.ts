/** Sources of an image: missing blobs, embedded content, blobs as streams, artifacts. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Image, Layout } from '../../ts/image/index.ts'
import type { Descriptor } from '../../ts/spec/index.ts'
import { scratch, sha256, tar, writeLayout, type TestLayoutOptions } from './fixture.ts'

const archive = tar([{ name: 'f', content: 'content' }])

function layout(t: ExecutionContext, options: TestLayoutOptions = {}): string {
  const path = join(scratch(t), 'images')
  writeLayout(path, [archive], options)
  return path
}
const open = (path: string): Promise<Image> => Image.open(`oci:${path}:test`)
const blobPath = (path: string, { digest }: Descriptor): string => join(path, 'blobs/sha256', digest.slice(7))

async function bytes(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces)
}

test('a missing layer is reported, and an error only where it is needed', async (t) => {
  const path = layout(t)
  const image = await open(path)
  const layer = image.manifest.layers[0]!
  t.deepEqual(await image.missing(), [])
  t.true(await (await Layout.open(path)).has(layer.digest))
  rmSync(blobPath(path, layer))
  t.deepEqual(await image.missing(), [layer])
  t.false(await (await Layout.open(path)).has(layer.digest))
  const target = join(path, '../rootfs')
  await t.throwsAsync(image.unpackRootfs(target), { code: 'ERR_BLOB_NOT_FOUND' } as never)
  t.false(existsSync(target))
  await t.throwsAsync(bytes(image.blob(layer)), { code: 'ERR_BLOB_NOT_FOUND' } as never)
})

test('a blob streams as it is stored, and a wrong one fails before its last piece', async (t) => {
  const path = layout(t)
  const image = await open(path)
  const layer = image.manifest.layers[0]!
  const stored = readFileSync(blobPath(path, layer))
  t.deepEqual(await bytes(image.blob(layer)), stored)
  stored[stored.length - 1]! ^= 1
  writeFileSync(blobPath(path, layer), stored)
  const seen: Buffer[] = []
  const reading = async (): Promise<void> => {
    for await (const piece of image.blob(layer)) seen.push(piece as Buffer)
  }
  await t.throwsAsync(reading, { code: 'ERR_DIGEST_MISMATCH' } as never)
  t.true(Buffer.concat(seen).length < stored.length)
})

test('an artifact is read, blob by blob, and does not run', async (t) => {
  const path = layout(t, {
    manifest: (manifest) => {
      ;(manifest['config'] as Descriptor).mediaType = 'application/vnd.example.config.v1+json'
      ;(manifest.layers[0] as Descriptor).mediaType = 'text/plain'
    },
  })
  const image = await open(path)
  t.is(image.config, undefined)
  t.true((await bytes(image.blob(image.manifest.layers[0]!))).length > 0)
  const target = join(path, '../bundle')
  await t.throwsAsync(image.unpack(target), { code: 'ERR_UNSUPPORTED_IMAGE' } as never)
  t.false(existsSync(target))
})

test('content embedded in a descriptor is taken when it is what the digest says', async (t) => {
  const embed = (change: (data: Buffer) => void): TestLayoutOptions => ({
    manifest: (manifest) => {
      const config = manifest['config'] as Descriptor
      const data = Buffer.from(
        JSON.stringify({ architecture: 'other', os: 'linux', rootfs: { type: 'layers' } }),
      )
      Object.assign(config, { digest: sha256(data), size: data.length })
      change(data)
      config.data = data.toString('base64')
    },
    platform: { os: 'linux', architecture: { x64: 'amd64' }[process.arch as string] ?? process.arch },
  })
  const image = await open(
    layout(
      t,
      embed(() => undefined),
    ),
  )
  t.is(image.config?.architecture, 'other')
  t.deepEqual(await image.missing(), [])
  const changed = layout(
    t,
    embed((data) => data.write('X', 2)),
  )
  await t.throwsAsync(open(changed), { code: 'ERR_DIGEST_MISMATCH' } as never)
})

test('a blob that is not a regular file is refused at once', async (t) => {
  const path = layout(t)
  const image = await open(path)
  const layer = image.manifest.layers[0]!
  rmSync(blobPath(path, layer))
  spawnSync('mkfifo', [blobPath(path, layer)])
  await t.throwsAsync(image.unpackRootfs(join(path, '../rootfs')), { code: 'ERR_INVALID_IMAGE' } as never)
})
