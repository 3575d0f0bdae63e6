/** Attacks by an image's documents, archives and target. Nothing outside may be read, written or contacted. */
import { createServer } from 'node:http'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Image } from '../../ts/image/index.ts'
import {
  scratch,
  sha256,
  tar,
  writeLayout,
  type TestEntry,
  type TestLayoutOptions,
} from '../image/fixture.ts'

type Manifest = Parameters<NonNullable<TestLayoutOptions['manifest']>>[0]
const archive = tar([{ name: 'f', content: 'x', mode: 0o4755 }])

async function attempt(t: ExecutionContext, options: TestLayoutOptions): Promise<string> {
  const base = scratch(t)
  writeLayout(join(base, 'images'), [archive], options)
  writeFileSync(join(base, 'canary'), archive)
  const unpacking = async (): Promise<void> => {
    await (await Image.open(`oci:${base}/images:test`)).unpack(join(base, 'bundle'))
  }
  const error = await t.throwsAsync<Error & { code: string }>(unpacking)
  t.deepEqual(readdirSync(base).sort(), ['canary', 'images'], 'nothing is left')
  t.deepEqual(readFileSync(join(base, 'canary')), archive)
  return error?.code ?? ''
}

const change = (edit: (manifest: Manifest) => void): TestLayoutOptions => ({ manifest: edit })

const documents: [title: string, code: string, TestLayoutOptions][] = [
  [
    'CVE-2024-3727: a digest that is a path',
    'ERR_INVALID_IMAGE',
    change(({ layers }) => (layers[0]!.digest = 'sha256:../../../canary')),
  ],
  ['a negative size', 'ERR_INVALID_IMAGE', change(({ layers }) => (layers[0]!.size = -1))],
  ['a size beyond numbers', 'ERR_INVALID_IMAGE', change(({ layers }) => (layers[0]!.size = 2 ** 60))],
  [
    'a blob that is longer than its size',
    'ERR_SIZE_MISMATCH',
    change(({ layers }) => (layers[0]!.size -= 1)),
  ],
  [
    'a blob that is shorter than its size',
    'ERR_SIZE_MISMATCH',
    change(({ layers }) => (layers[0]!.size += 1)),
  ],
  [
    'a blob of another digest',
    'ERR_BLOB_NOT_FOUND',
    change(({ layers }) => (layers[0]!.digest = sha256('other'))),
  ],
  [
    'CVE-2021-41190: a manifest that is an index too',
    'ERR_INVALID_IMAGE',
    change((manifest) => (manifest['manifests'] = [])),
  ],
  ['a manifest of 5 MiB', 'ERR_LIMIT_EXCEEDED', change((manifest) => (manifest['x'] = 'x'.repeat(5 << 20)))],
  [
    'fewer diffIDs than layers',
    'ERR_INVALID_IMAGE',
    { config: { rootfs: { type: 'layers', diff_ids: [] } } },
  ],
  [
    'more diffIDs than layers',
    'ERR_INVALID_IMAGE',
    { config: { rootfs: { type: 'layers', diff_ids: [sha256(archive), sha256(archive)] } } },
  ],
  [
    'a diffID of something else',
    'ERR_DIGEST_MISMATCH',
    { config: { rootfs: { type: 'layers', diff_ids: [sha256('')] } } },
  ],
  [
    'CVE-2024-40635: a user beyond 2^31',
    'ERR_INVALID_IMAGE',
    { config: { config: { Cmd: ['x'], User: '4294967296' } } },
  ],
  ['a group beyond 2^31', 'ERR_INVALID_IMAGE', { config: { config: { Cmd: ['x'], User: '0:2147483648' } } }],
]

for (const [title, code, options] of documents) {
  test(title, async (t) => t.is(await attempt(t, options), code))
}

test('CVE-2020-15157: the address of a layer is not asked', async (t) => {
  let asked = 0
  const server = createServer((_, response) => {
    asked += 1
    response.writeHead(401, { 'www-authenticate': 'Basic' }).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const urls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}/layer`]
  const foreign = change(({ layers }) => {
    Object.assign(layers[0]!, {
      urls,
      digest: sha256('elsewhere'),
      mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    })
  })
  t.is(await attempt(t, foreign), 'ERR_BLOB_NOT_FOUND')
  t.is(asked, 0)
})

test('set-id programs of a bundle are out of reach of other users', async (t) => {
  const base = scratch(t)
  writeLayout(join(base, 'images'), [archive])
  await (await Image.open(`oci:${base}/images:test`)).unpack(join(base, 'bundle'))
  t.is(statSync(join(base, 'bundle')).mode & 0o777, 0o700)
  t.is(statSync(join(base, 'bundle/rootfs/f')).mode & 0o7777, 0o4755)
})

test('a target that is a link is refused, and what it leads to stays', async (t) => {
  const base = scratch(t)
  writeLayout(join(base, 'images'), [archive])
  mkdirSync(join(base, 'outside'))
  symlinkSync('outside', join(base, 'rootfs'))
  const image = await Image.open(`oci:${base}/images:test`)
  await t.throwsAsync(image.unpackRootfs(join(base, 'rootfs')), { code: 'ERR_EXISTS' } as never)
  t.deepEqual(readdirSync(join(base, 'outside')), [])
})

test('CVE-2025-47290: directories that are swapped for links meanwhile lead nowhere', async (t) => {
  const base = scratch(t)
  const entries = Array.from({ length: 3000 }, (_, index): TestEntry[] => [
    { name: `d${index % 7}/` },
    { name: `d${index % 7}/canary`, content: 'evil', mode: 0o777 },
  ]).flat()
  writeLayout(join(base, 'images'), [tar(entries), tar(entries)])
  const [work, outside] = [join(base, 'work'), join(base, 'outside')]
  for (const path of [work, outside]) mkdirSync(path)
  writeFileSync(join(outside, 'canary'), 'canary')
  const before = statSync(join(outside, 'canary'))
  // The same user, with full access to the private directory: the worst case.
  const script = `
    const fs = require('fs'), path = require('path')
    const [work, outside] = process.argv.slice(1)
    const attempt = (call) => { try { call() } catch {} }
    console.log('ready')
    for (;;) for (const staging of fs.readdirSync(work)) for (let index = 0; index < 7; index++) {
      const [name, aside] = ['d' + index, 'aside' + index].map((name) => path.join(work, staging, name))
      attempt(() => fs.renameSync(name, aside))
      attempt(() => fs.symlinkSync(outside, name))
      attempt(() => fs.unlinkSync(name))
      attempt(() => fs.renameSync(aside, name))
    }`
  const racer = spawn(process.execPath, ['-e', script, work, outside], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => void racer.kill('SIGKILL'))
  await once(racer.stdout, 'data')
  const image = await Image.open(`oci:${base}/images:test`)
  for (let round = 0; round < 5; round++) {
    // Whether it succeeds is chance; where it writes is not.
    await image.unpackRootfs(join(work, `rootfs${round}`)).catch(() => undefined)
  }
  t.deepEqual(readdirSync(outside), ['canary'])
  t.is(readFileSync(join(outside, 'canary'), 'utf8'), 'canary')
  const { ino, mode, mtimeMs, ctimeMs, nlink } = statSync(join(outside, 'canary'))
  t.deepEqual(
    [ino, mode, mtimeMs, ctimeMs, nlink],
    [before.ino, before.mode, before.mtimeMs, before.ctimeMs, before.nlink],
  )
})
