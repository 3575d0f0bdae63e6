/** Images from options: what goes in comes out; invalid options are refused before anything is written. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import test from 'ava'
import { copyImage, Image, Layout, snapshot, type BuildOptions } from '../../../ts/image/index.ts'
import { needs } from '../../fixtures/needs.ts'
import { program } from '../../fixtures/program.ts'
import { scratch } from '../../fixtures/rootfs.ts'
import { text } from '../../fixtures/text.ts'
import { readTree, treeDifferences } from '../../fixtures/tree.ts'
import { rawEntry, tar } from '../fixture.ts'

const sourceDateEpoch = 1_700_000_000
const hello = [{ path: '/etc/hello', content: 'hello\n' }]

test('strings, bytes, streams and virtual trees', async (t) => {
  const layout = scratch('build')
  const image = await Image.build({
    layout,
    sourceDateEpoch,
    layers: [
      {
        entries: [
          {
            path: 'text',
            content: 'ünï\n',
            mode: 0o600,
            uid: 7,
            gid: 8,
            mtime: 5,
            xattrs: { 'user.a': 'b' },
          },
          { path: '/bytes', content: Buffer.from([0, 255, 10]) },
          { path: '/stream', content: Readable.from([Buffer.alloc(3 << 20, 'x'), 'end']) },
          {
            path: '/app',
            tree: { 'bin/run': { content: '#!/bin/sh\n', mode: 0o755 }, 'lib/a': 'a', b: Buffer.from('b') },
          },
          { path: '/link', type: 'symlink', target: 'app/bin/run' },
          { path: '/same', type: 'hardlink', target: '/app/lib/a' },
          { path: '/pipe', type: 'fifo' },
          { path: '/sticky', type: 'directory', mode: 0o1777 },
        ],
      },
    ],
  })
  const read = (path: string): Promise<string> => text(image.readFile(path))
  t.is(await read('/text'), 'ünï\n')
  t.is(await read('link'), '#!/bin/sh\n')
  t.is(await read('/same'), 'a')
  t.is((await read('stream')).length, (3 << 20) + 3)
  const listing = join(layout, 'all.tar')
  writeFileSync(listing, await bytes(image.exportRootfs()))
  const { stdout } = spawnSync('tar', ['--numeric-owner', '--utc', '-tvf', listing], { encoding: 'utf8' })
  t.regex(stdout, /^-rw------- 7\/8 +6 1970-01-01 00:00 text$/m)
  t.regex(stdout, /^drwxrwxrwt 0\/0 +0 2023-11-14 22:13 sticky\/$/m)
  t.regex(stdout, /^prw-r--r-- /m)
  t.regex(stdout, /^hrw-r--r-- .* same link to app\/lib\/a$|^hrw-r--r-- .* app\/lib\/a link to same$/m)
  await t.throwsAsync(text(image.readFile('/nosuch')), { code: 'ERR_NOT_FOUND' } as never)
  await t.throwsAsync(text(image.readFile('/sticky')), { code: 'ERR_INVALID_OPTION' } as never)
  const part = join(layout, 'part.tar')
  writeFileSync(part, await bytes(image.exportRootfs({ path: '/app/' })))
  t.deepEqual(spawnSync('tar', ['-tf', part], { encoding: 'utf8' }).stdout.split('\n').sort(), [
    '',
    './',
    'b',
    'bin/',
    'bin/run',
    'lib/',
    'lib/a',
  ])
})

async function bytes(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

test('a file of the host gives its content alone, through links', async (t) => {
  const folder = scratch('build')
  const [file, link] = [join(folder, 'file'), join(folder, 'link')]
  writeFileSync(file, 'of the host\n', { mode: 0o4711 })
  symlinkSync(file, link)
  const entries = [{ path: '/file', content: { file: link }, mode: 0o640 }]
  const image = await Image.build({ layout: join(folder, 'images'), layers: [{ entries }] })
  const { rootfs } = await image.unpack(join(folder, 'bundle'), { args: ['sh'] })
  t.is(readFileSync(join(rootfs, 'file'), 'utf8'), 'of the host\n')
  t.is(statSync(join(rootfs, 'file')).mode, 0o100640)
  const missing = {
    layout: join(folder, 'none'),
    layers: [{ entries: [{ path: '/a', content: { file: '/nowhere' } }] }],
  }
  const error = await t.throwsAsync(Image.build(missing), { message: /\/nowhere/ })
  t.is((error as { path?: string }).path, '/nowhere')
})

test('invalid options are refused before the layout is made', async (t) => {
  const base = scratch('build')
  const layout = join(base, 'layout')
  const entry = (more: object): BuildOptions => ({
    layout,
    layers: [{ entries: [{ path: '/x', content: '', ...more }] }],
  })
  const early: [string, BuildOptions][] = [
    ['tag', { layout, tag: '../x' }],
    ['compression', { layout, compression: 'lzma' as never }],
    ['level', { layout, level: 0 }],
    ['annotation', { layout, annotations: { a: 1 as never } }],
    ['sourceDateEpoch', { layout, sourceDateEpoch: 1.5 }],
    ['config.Env', { layout, config: { config: { Env: ['A'] } } }],
    ['rootfs', { layout, config: { rootfs: {} } as never }],
  ]
  for (const [name, options] of early) {
    await t.throwsAsync(Image.build(options), { message: new RegExp(name.split('.').at(-1)!) }, name)
    t.false(existsSync(layout), name)
  }
  for (const options of [
    entry({ mode: 0o10000 }),
    entry({ uid: -1 }),
    entry({ mtime: 0.5 }),
    entry({ content: 5 }),
    entry({ path: '' }),
    { layout, level: 12, layers: [{ entries: hello }] },
    { layout, layers: [{ entries: [{ path: '/x' } as never] }] },
    { layout, layers: [{ entries: [{ path: '/x', type: 'symlink', target: '' } as const] }] },
    { layout, layers: [{} as never] },
  ]) {
    await t.throwsAsync(
      Image.build(options),
      { code: 'ERR_INVALID_OPTION' } as never,
      JSON.stringify(options),
    )
    t.false(existsSync(layout))
  }
  for (const path of ['/.wh.x', '/']) {
    await t.throwsAsync(Image.build(entry({ path })), { code: 'ERR_INVALID_OPTION' } as never, path)
    t.deepEqual(readdirSync(join(layout, 'blobs/sha256')), [])
    t.deepEqual(readdirSync(join(layout, 'blobs')), ['sha256'])
  }
})

test('an abort leaves nothing behind', async (t) => {
  const layout = scratch('build')
  const reason = new Error('enough')
  for (const early of [true, false]) {
    const stop = new AbortController()
    if (early) stop.abort(reason)
    const slow = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.alloc(1000)
      stop.abort(reason)
      yield Buffer.alloc(1000)
    }
    const options = { layout, signal: stop.signal, layers: [{ entries: [{ path: '/x', content: slow() }] }] }
    await t.throwsAsync(Image.build(options), { is: reason })
    t.deepEqual(readdirSync(join(layout, 'blobs/sha256')), [])
  }
  const source = join(layout, 'source')
  mkdirSync(source)
  writeFileSync(join(source, 'big'), Buffer.alloc(64 << 20))
  const stop = new AbortController()
  const building = Image.build({
    layout,
    signal: stop.signal,
    level: 9,
    layers: [{ entries: [{ path: '/', source }] }],
  })
  setImmediate(() => stop.abort(reason))
  await t.throwsAsync(building, { is: reason })
  t.deepEqual(readdirSync(join(layout, 'blobs/sha256')), [])
})

test('annotations, labels and unknown fields merge, null removes', async (t) => {
  const layout = scratch('build')
  const first = await Image.build({
    layout,
    tag: 'a',
    annotations: { a: '1', b: '2' },
    config: {
      author: 'me',
      Healthcheck2: { x: 1 },
      config: { Labels: { a: '1', b: '2' }, Shell: ['sh'] },
    } as never,
  })
  const second = await Image.build({
    from: 'oci:' + layout + ':a',
    layout,
    annotations: { a: null, c: '3' },
    config: { author: null, config: { Labels: { b: null, c: '3' } } },
  })
  t.deepEqual(second.manifest.annotations, { b: '2', c: '3' })
  t.deepEqual(second.config?.config?.Labels, { a: '1', c: '3' })
  t.is(second.config?.author, undefined)
  t.deepEqual(second.config?.['Healthcheck2'], { x: 1 })
  t.deepEqual(second.config?.config?.['Shell'], ['sh'])
  const difference = await first.diff(second)
  t.deepEqual(
    difference.config.map(({ path }) => path).filter((path) => !/^(created|history)/.test(path)),
    ['author', 'config.Labels.b', 'config.Labels.c'],
  )
  t.deepEqual(difference.layers, [])
  t.is(difference.files, undefined)
})

needs('python3')(
  'the same input gives the same digest on one core and on two, anywhere, at any time',
  async (t) => {
    const base = scratch('build')
    const digests = new Set<string>()
    for (const [index, cores] of ['0', '0,1', '0,1'].entries()) {
      const folder = join(base, `somewhere-${'x'.repeat(index * 20)}`)
      const tree = join(folder, 'tree')
      mkdirSync(join(tree, 'sub'), { recursive: true })
      // Made in another order each time.
      const names = ['b', 'a', 'sub/z', 'sub/Y', 'é']
      for (const name of index === 1 ? names.toReversed() : names) {
        writeFileSync(join(tree, name), name.repeat(700_000 + name.length))
      }
      for (const name of [...names, 'sub', '.']) utimesSync(join(tree, name), 5, 1_800_000_000 + index)
      const script = `import { Image } from 'caisson'
for (const compression of ['gzip', 'zstd', 'none'] as const) {
  const image = await Image.build({ layout: ${JSON.stringify(folder + '/layout')}, compression, sourceDateEpoch: 1000,
    layers: [{ entries: [{ path: '/', source: ${JSON.stringify(tree)}, uid: 0, gid: 0 }] }] })
  console.log(image.digest)
}`
      const { child, ended } = program(script)
      spawnSync('taskset', ['-acp', cores, String(child.pid)])
      const [out, { code, stderr }] = await Promise.all([text(child.stdout), ended])
      t.is(code, 0, stderr)
      digests.add(out)
    }
    t.is(digests.size, 1)
    t.is([...digests][0]!.split('\n').length, 4)
  },
)

needs('python3', 'root')('the upper directory of an overlay becomes a layer', async (t) => {
  const base = scratch('build')
  const layout = join(base, 'layout')
  const tree = { 'keep/a': 'a', 'keep/b': 'b', 'opaque/old': 'old', gone: 'gone', 'etc/x': 'x' }
  const image = await Image.build({ layout, layers: [{ entries: [{ path: '/', tree }] }] })
  await image.unpackRootfs(join(base, 'lower'))
  const script = `mkdir upper work merged && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged && cd merged &&
    rm gone keep/a && rm -r opaque && mkdir opaque && echo new >opaque/new && ln keep/b keep/c && echo y >>etc/x && touch -d @5 etc/x && ln -s x link
    find . -exec touch -h -d @1000000000 {} + ; cp -a . ../expected; cd .. && umount merged`
  const mount = `mount -t tmpfs tmpfs "$1" && cp -a lower "$1" && cd "$1" && ${script} && cp -a upper expected "$2"`
  const out = join(base, 'out')
  mkdirSync(out)
  mkdirSync(join(base, 'tmpfs'))
  const { status, stderr } = spawnSync(
    'unshare',
    ['-m', 'sh', '-ec', mount, 'sh', join(base, 'tmpfs'), out],
    {
      cwd: base,
      encoding: 'utf8',
    },
  )
  if (status !== 0) return void t.fail(stderr)
  const next = await Image.build({
    from: image,
    layout,
    layers: [{ upper: join(out, 'upper'), rootless: false }],
  })
  await next.unpackRootfs(join(base, 'result'))
  const options = { wholeSeconds: true, withoutTime: ['.'] }
  t.deepEqual(
    treeDifferences(readTree(join(base, 'result'), options), readTree(join(out, 'expected'), options)),
    [],
  )
})

test('a difference against a snapshot, and against another directory', async (t) => {
  const base = scratch('build')
  const [layout, tree, other, manifest] = ['layout', 'tree', 'other', 'manifest'].map((name) =>
    join(base, name),
  ) as [string, string, string, string]
  for (const folder of [tree, other]) {
    mkdirSync(folder)
    for (const name of ['a', 'b']) {
      writeFileSync(join(folder, name), name)
      utimesSync(join(folder, name), 1, 1)
    }
    utimesSync(folder, 1, 1)
  }
  t.is(await snapshot(tree, manifest), 3)
  t.regex(readFileSync(manifest, 'utf8'), /^\.\/a type=file .*sha256digest=/m)
  await t.throwsAsync(snapshot(tree, manifest), { code: 'ERR_EXISTS' } as never)
  const changes = async (before: { manifest: string } | { directory: string }): Promise<object[]> =>
    (await Image.buildWithResult({ layout, layers: [{ directory: tree, before }] })).layers[0]!.changes
  t.deepEqual(await changes({ manifest }), [])
  t.deepEqual(await changes({ directory: other }), [])
  writeFileSync(join(tree, 'a'), 'A') // same size and time: the content counts
  utimesSync(join(tree, 'a'), 1, 1)
  const expected = [{ path: 'a', change: 'changed', what: ['content'] }]
  t.deepEqual(await changes({ manifest }), expected)
  t.deepEqual(await changes({ directory: other }), expected)
})

test('squash, rebase and convert keep the content of the root file system', async (t) => {
  const layout = scratch('build')
  const base = await Image.build({
    layout,
    tag: 'base',
    layers: [{ entries: hello, history: { createdBy: 'base' } }],
  })
  const fresh = await Image.build({
    layout,
    tag: 'fresh',
    layers: [
      {
        entries: [
          { path: '/etc/hello', content: 'newer\n' },
          { path: '/more', content: '' },
        ],
      },
    ],
  })
  const app = await Image.build({
    from: base,
    layout,
    tag: 'app',
    layers: [{ entries: [{ path: '/app', content: 'app' }] }],
    config: { config: { Cmd: ['app'] } },
  })
  const rebased = await app.rebase(base, fresh, { layout, tag: 'rebased' })
  t.deepEqual(rebased.config?.rootfs.diff_ids, [
    ...fresh.config!.rootfs.diff_ids,
    app.config!.rootfs.diff_ids[1],
  ])
  t.is(await text(rebased.readFile('/etc/hello')), 'newer\n')
  t.is(await text(rebased.readFile('/app')), 'app')
  t.deepEqual(rebased.config?.config?.Cmd, ['app'])
  await t.throwsAsync(fresh.rebase(base, app, { layout }), {
    code: 'ERR_INVALID_OPTION',
    message: /is not built on/,
  } as never)
  const squashed = await app.squash({ layout, tag: 'squashed' })
  t.is(squashed.manifest.layers.length, 1)
  t.deepEqual((await app.diff(squashed)).files, [])
  t.deepEqual((await squashed.verify()).problems, [])
  const zstd = await app.convert({ layout, compression: 'zstd' })
  t.true(zstd.manifest.layers.every(({ mediaType }) => mediaType.endsWith('+zstd')))
  t.deepEqual(zstd.config?.rootfs, app.config?.rootfs)
  t.true((await app.diff(zstd)).layers.every(({ sameContent }) => sameContent))
  await t.throwsAsync(app.squash({ layout, keep: 3 }), { code: 'ERR_INVALID_OPTION' } as never)
})

test('squashed above its base, a directory in the place of a link or a file keeps what is in it', async (t) => {
  const layout = scratch('build')
  const base = await Image.build({
    layout,
    layers: [
      {
        entries: [
          ...hello,
          { path: '/link', type: 'symlink', target: 'etc' },
          { path: '/loop', type: 'symlink', target: 'loop/on' },
          { path: '/file', content: 'x' },
        ],
      },
    ],
  })
  const directories = ['link', 'loop', 'file'].flatMap((name) => [
    { path: name, type: 'directory' as const },
    { path: `${name}/inside`, content: name },
  ])
  const app = await Image.build({
    from: base,
    layout,
    layers: [{ entries: directories }, { entries: [{ path: '/link/later', content: 'later' }] }],
  })
  const squashed = await app.squash({ layout, keep: 1 })
  t.is(squashed.manifest.layers.length, 2)
  const [expected, seen] = [join(scratch('build'), 'app'), join(scratch('build'), 'squashed')]
  await app.unpackRootfs(expected)
  await squashed.unpackRootfs(seen)
  t.deepEqual(treeDifferences(readTree(expected), readTree(seen)), [])
  t.deepEqual(readdirSync(join(seen, 'link')).sort(), ['inside', 'later'])
  t.deepEqual(readdirSync(join(seen, 'etc')), ['hello'])
})

test('copies keep digests, and platforms choose from an index', async (t) => {
  const base = scratch('build')
  const [from, to] = [join(base, 'from'), join(base, 'to')]
  const images: Image[] = []
  for (const architecture of ['amd64', 'arm64']) {
    const options = { layout: from, platform: { os: 'linux', architecture } }
    images.push(
      await Image.build({ ...options, layers: [{ entries: [{ path: '/arch', content: architecture }] }] }),
    )
  }
  const layout = await Layout.open(from)
  const index = { schemaVersion: 2, manifests: images.map(({ descriptor }) => descriptor) }
  const written = await layout.writeBlob(JSON.stringify(index), 'application/vnd.oci.image.index.v1+json')
  await layout.tag(written, 'multi')
  const whole = await copyImage(`oci:${from}:multi`, { layout: to })
  t.is(whole.descriptor.digest, written.digest)
  t.is(whole.blobs, 7)
  t.is((await copyImage(`oci:${from}:multi`, { layout: to })).blobs, 0)
  const part = await copyImage(`oci:${from}:multi`, {
    layout: join(base, 'part'),
    platforms: ['linux/arm64'],
  })
  t.is(part.blobs, 4)
  const arm = await Image.open(`oci:${base}/part:multi`, { platform: 'linux/arm64' })
  t.is(arm.digest, images[1]!.digest)
  t.is(await text(arm.readFile('arch')), 'arm64')
  t.deepEqual((await (await Layout.open(to)).collectGarbage()).removed, [])
  await t.throwsAsync(copyImage(`oci:${from}:multi`, { layout: to, platforms: ['linux/s390x'] }), {
    code: 'ERR_IMAGE_NOT_FOUND',
  } as never)
  await t.throwsAsync(copyImage(`oci:${from}:nosuch`, { layout: to }), {
    code: 'ERR_IMAGE_NOT_FOUND',
  } as never)
})

test('concurrent writers of one layout lose nothing, and garbage collection keeps their blobs', async (t) => {
  const layout = join(scratch('build'), 'layout')
  const script = (name: string): string => `import { Image } from 'caisson'
for (let index = 0; index < 5; index++)
  await Image.build({ layout: ${JSON.stringify(layout)}, tag: \`${name}-\${index}\`, layers: [{ entries: [{ path: '/${name}', content: String(index) }] }] })`
  const collector = `import { Layout } from 'caisson'
const layout = await Layout.create(${JSON.stringify(layout)})
for (let index = 0; index < 30; index++) await layout.collectGarbage()`
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  const programs = [...names.map((name) => program(script(name))), program(collector)]
  for (const { ended } of programs) {
    const { code, stderr } = await ended
    t.is(code, 0, stderr)
  }
  const opened = await Layout.open(layout)
  const tags = await opened.tags()
  t.deepEqual(
    tags,
    names.flatMap((name) => [0, 1, 2, 3, 4].map((index) => `${name}-${index}`)),
  )
  for (const tag of tags) {
    const image = await Image.open(`oci:${layout}:${tag}`)
    t.deepEqual((await image.verify()).problems, [], tag)
  }
  t.deepEqual((await opened.collectGarbage()).removed, [])
  t.deepEqual(readdirSync(layout).sort(), ['blobs', 'index.json', 'oci-layout'])
})

test('names with .. do not leave an image', async (t) => {
  const layout = scratch('build')
  const archive = join(layout, 'evil.tar')
  writeFileSync(
    archive,
    tar([
      rawEntry({ name: '../../etc/passwd', content: 'inside' }),
      rawEntry({ name: 'out', type: '2', link: '/' }),
      rawEntry({ name: 'out/etc/shadow', content: 'inside' }),
      rawEntry({ name: 'up', type: '2', link: '../../../../etc/passwd' }),
    ]),
  )
  const image = await Image.build({ layout, layers: [{ archive }] })
  for (const path of ['/etc/passwd', '/../etc/passwd', 'out/etc/shadow', 'up', 'etc/shadow'])
    t.is(await text(image.readFile(path)), 'inside', path)
  const listing = join(layout, 'flat.tar')
  writeFileSync(listing, await bytes(image.exportRootfs()))
  const { stdout } = spawnSync('tar', ['-tf', listing], { encoding: 'utf8' })
  t.deepEqual(stdout.split('\n').sort(), ['', './', 'etc/', 'etc/passwd', 'etc/shadow', 'out', 'up'])
})

needs('umoci', 'root')('umoci, skopeo and runc take what we write', async (t) => {
  const base = scratch('build')
  const layout = join(base, 'images')
  const sh = async (script: string): Promise<string> => {
    const child = spawn('sh', ['-ec', script], { cwd: base, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = Promise.all([text(child.stdout), text(child.stderr)])
    const [status] = (await once(child, 'exit')) as [number]
    const [stdout, stderr] = await output
    if (status !== 0) throw new Error(`${script}: ${stderr}`)
    return stdout
  }
  const busybox = await Image.fromHost({ layout, tag: 'host', programs: ['sh', 'cat', 'id'] })
  const image = await Image.build({
    from: busybox,
    layout,
    tag: 'app',
    layers: [
      {
        entries: [
          ...hello,
          { path: '/etc/group', remove: true },
          { path: '/dev/x', type: 'char', major: 1, minor: 3 },
        ],
      },
      {
        entries: [
          { path: '/etc/later', type: 'hardlink', target: 'etc/first' },
          { path: '/etc/first', content: '1', mode: 0o4711, uid: 5 },
        ],
      },
    ],
    config: { config: { Cmd: ['cat', '/etc/hello'] } },
  })
  await image.unpackRootfs(join(base, 'ours'))
  await sh(
    'umoci unpack --image images:app theirs; skopeo --insecure-policy copy oci:images:app oci:copied:app >/dev/null; skopeo --insecure-policy copy oci:images:app docker-archive:saved.tar:app:latest >/dev/null',
  )
  const options = { wholeSeconds: true }
  const ours = readTree(join(base, 'ours'), options)
  t.deepEqual(treeDifferences(ours, readTree(join(base, 'theirs/rootfs'), options)), [])
  await (await Image.open(`oci:${base}/copied:app`)).unpackRootfs(join(base, 'copied-tree'))
  t.deepEqual(treeDifferences(ours, readTree(join(base, 'copied-tree'), options)), [])
  await copyImage(`docker-archive:${base}/saved.tar`, { layout: join(base, 'back'), tag: 'app' })
  await (await Image.open(`oci:${base}/back:app`)).unpackRootfs(join(base, 'back-tree'))
  t.deepEqual(treeDifferences(ours, readTree(join(base, 'back-tree'), options)), [])
  const squashed = await image.squash({ layout, tag: 'squashed', compression: 'none' })
  t.is(squashed.manifest.layers.length, 1)
  await sh('umoci unpack --image images:squashed squashed')
  t.deepEqual(treeDifferences(ours, readTree(join(base, 'squashed/rootfs'), options)), [])
  // Both ways: umoci packs a change, and its layer and ours are read together.
  await sh(
    'echo more >theirs/rootfs/etc/more; umoci repack --image images:repacked theirs; umoci gc --layout images',
  )
  t.is(await text((await Image.open(`oci:${layout}:repacked`)).readFile('/etc/more')), 'more\n')
  if (spawnSync('runc', ['--version']).status === 0) {
    await sh(`cd theirs && sed -i 's/"terminal": *true/"terminal": false/' config.json`)
    t.is(await sh(`cd theirs && runc --root ../runc run build-${process.pid}`), 'hello\n')
  }
})
