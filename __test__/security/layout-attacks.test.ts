/** Layouts that another user owns: root, or a reader, changes nothing outside them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Image, Layout } from '../../ts/image/index.ts'
import { Store } from '../../ts/image/store/store.ts'
import { needs } from '../fixtures/needs.ts'
import { scratch, tar, writeLayout } from '../image/fixture.ts'

const archive = tar([{ name: 'f', content: 'x' }])
const hex = (digit: string): string => digit.repeat(64)
const other = 65534

test('garbage collection follows no link below blobs, and removes only what has a digest for a name', async (t) => {
  const base = scratch(t)
  const path = join(base, 'layout')
  writeLayout(path, [archive])
  const canaries = join(base, 'home')
  mkdirSync(canaries)
  for (const name of ['thesis', hex('a'), 'a1b2']) writeFileSync(join(canaries, name), 'canary')
  symlinkSync(canaries, join(path, 'blobs/x'))
  symlinkSync(canaries, join(path, 'blobs/sha512'))
  symlinkSync(join(canaries, 'thesis'), join(path, 'blobs/sha256', hex('b')))
  symlinkSync(canaries, join(path, 'blobs/.caisson-left'))
  writeFileSync(join(path, 'blobs/sha256/notes'), 'mine')
  const layout = await Layout.open(path)
  const error = await t.throwsAsync(layout.collectGarbage())
  t.is((error as { code?: string }).code, 'ERR_UNSAFE_PATH')
  rmSync(join(path, 'blobs/sha512'))
  t.deepEqual((await layout.collectGarbage()).removed, [`sha256:${hex('b')}`])
  t.deepEqual(readdirSync(canaries).sort(), ['a1b2', hex('a'), 'thesis'])
  t.true(existsSync(join(path, 'blobs/sha256/notes')))
  t.is((await Image.open(`oci:${path}:test`)).manifest.layers.length, 1)
})

test('nothing is written through a link in place of a directory of the layout', async (t) => {
  const base = scratch(t)
  const path = join(base, 'layout')
  writeLayout(path, [archive])
  const outside = join(base, 'outside')
  renameSync(join(path, 'blobs/sha256'), outside)
  symlinkSync(outside, join(path, 'blobs/sha256'))
  const before = readdirSync(outside)
  const layout = await Layout.open(path)
  const code = { code: 'ERR_UNSAFE_PATH' }
  await t.throwsAsync(layout.writeBlob('canary', 'text/plain'), code as never)
  await t.throwsAsync(layout.collectGarbage(), code as never)
  const image = await Image.open(`oci:${path}:test`) // reading may follow it, because content is verified
  await t.throwsAsync(image.squash({ layout: path, tag: 'squashed' }), code as never)
  await t.throwsAsync(
    Image.build({ layout: path, tag: 'new', layers: [{ entries: [{ path: '/a', content: 'a' }] }] }),
    code as never,
  )
  t.deepEqual(readdirSync(outside), before)
  t.deepEqual(readdirSync(join(path, 'blobs')), ['sha256'])
})

test('a store empties no directory that a link of its own names', async (t) => {
  const base = scratch(t)
  const store = new Store({ root: join(base, 'store') })
  await store.gc()
  const outside = join(base, 'outside')
  mkdirSync(outside)
  writeFileSync(join(outside, hex('a')), 'canary')
  symlinkSync(outside, join(base, 'store/blobs/sha512'))
  await t.throwsAsync(store.gc(), { code: 'ERR_UNSAFE_PATH' } as never)
  t.true(existsSync(join(outside, hex('a'))))
})

needs('root')('what root writes into the layout of a user is the user’s, with its directories', async (t) => {
  const base = scratch(t)
  const path = join(base, 'layout')
  mkdirSync(path)
  chownSync(path, other, other)
  const layout = await Layout.create(path)
  const image = await Image.build({ layout, tag: 'a', layers: [{ entries: [{ path: '/a', content: 'a' }] }] })
  await layout.tag(image.descriptor, 'b')
  for (const name of ['index.json', 'oci-layout', 'blobs', 'blobs/sha256'])
    t.is(statSync(join(path, name)).uid, other, name)
  for (const name of readdirSync(join(path, 'blobs/sha256')))
    t.is(statSync(join(path, 'blobs/sha256', name)).uid, other, name)
})

/** Replaces each new index.json by a link, and puts the file back a moment later. */
const racer = (layout: string, canary: string): string => `
  const fs = require('node:fs')
  const [index, link, saved] = ['index.json', 'link', 'saved'].map((name) => ${JSON.stringify(layout)} + '/' + name)
  fs.copyFileSync(index, saved)
  let inode = fs.lstatSync(index).ino
  process.stdout.write('ready\\n')
  for (;;) {
    if (fs.lstatSync(index).ino === inode) continue
    fs.symlinkSync(${JSON.stringify(canary)}, link)
    fs.renameSync(link, index)
    const until = Date.now() + 20
    while (Date.now() < until);
    fs.copyFileSync(saved, link)
    fs.renameSync(link, index)
    inode = fs.lstatSync(index).ino
  }`

needs('root')('no file is given away to a user who exchanges index.json while root tags', async (t) => {
  const base = scratch(t)
  chmodSync(base, 0o755)
  const path = join(base, 'layout')
  writeLayout(path, [archive])
  const canary = join(base, 'canary')
  writeFileSync(canary, 'secret', { mode: 0o600 })
  chownSync(path, other, other)
  chmodSync(path, 0o700)
  const image = await Image.open(`oci:${path}:test`)
  const child = spawn(process.execPath, ['-e', racer(path, canary)], {
    uid: other,
    gid: other,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout!, 'data')
  const layout = await Layout.open(path)
  for (let round = 0; round < 60; round++) {
    // It fails if the link is read instead of the index.
    await layout.tag(image.descriptor, `round-${round}`).catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (statSync(canary).uid !== 0) break
  }
  t.is(statSync(canary).uid, 0, 'the canary belongs to root')
  t.is(readFileSync(canary, 'utf8'), 'secret')
})
