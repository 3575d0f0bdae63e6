/** Errors as a caller of the package sees them: the caller's line, nothing raw, nothing unreadable. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { digestBytesAsync, digestFile } from '../ts/digest/index.ts'
import * as caisson from '../ts/index.ts'
import {
  CaissonError,
  changesSince,
  copyImage,
  Image,
  Layout,
  Runtime,
  snapshot,
  Store,
} from '../ts/index.ts'
import { needs } from './fixtures/needs.ts'
import { checkout } from './fixtures/program.ts'
import { rootfs, scratch } from './fixtures/rootfs.ts'

/** The library calls back from native threads: without care the stack has no line of this file. */
async function thrownBy(call: () => unknown): Promise<CaissonError> {
  async function theCaller(): Promise<void> {
    await call()
  }
  try {
    await theCaller()
  } catch (error) {
    return error as CaissonError
  }
  throw new Error('nothing was thrown')
}

const missing = join(scratch('boundary'), 'nothing')
const runtime = new Runtime({
  root: join(scratch('boundary'), 'root'),
  store: join(scratch('boundary'), 'store'),
})

const failing: Record<string, () => unknown> = {
  'Image.open': () => Image.open(`oci:${missing}`),
  'Image.build': () => Image.build({ layout: scratch('boundary'), layers: [{ archive: missing }] }),
  'Image.fromHost': () => Image.fromHost({ layout: scratch('boundary'), programs: [missing] }),
  'Layout.open': () => Layout.open(missing),
  'Runtime.get': () => runtime.get('nobody'),
  'Runtime.create': () => runtime.create('x', { bundle: missing }),
  'Runtime.plan': () => runtime.plan(missing),
  'Store.remove': () => new Store({ root: missing }).remove('nothing'),
  run: () => caisson.run({ bundle: missing }),
  'started of run': () => caisson.run({ bundle: missing }).started,
  copyImage: () => copyImage(`oci:${missing}`, { layout: missing }),
  snapshot: () => snapshot(missing, join(missing, 'manifest')),
  changesSince: () => changesSince(missing, missing),
  validate: () => caisson.validate(missing),
  removeUnpacked: () => caisson.removeUnpacked('\0'),
  digestFile: () => digestFile(missing),
  digestBytesAsync: () => digestBytesAsync(new Uint8Array(), 'nonsense' as 'sha256'),
}

for (const [name, call] of Object.entries(failing)) {
  test(`the stack of what ${name} throws has the caller's line`, async (t) => {
    const error = await thrownBy(call)
    t.true(error instanceof CaissonError, String(error))
    t.regex(error.stack!, /at (?:async )?theCaller .*boundary\.test\.ts:\d+:\d+/)
    t.true(error.stack!.startsWith(`${error.name}: ${error.message}\n    at `))
    const frames = error.stack!.split('\n    at ').slice(1)
    t.is(new Set(frames).size, frames.length, error.stack)
  })
}

const container = process.geteuid?.() === 0 ? test : needs('userns')

container('a program that fails, or cannot be started, names the line that ran it', async (t) => {
  const made = rootfs()
  for (const args of [['false'], ['/nosuch']]) {
    const error = await thrownBy(() => runtime.run({ rootfs: made }, args))
    t.regex(error.stack!, /theCaller .*boundary\.test\.ts/)
  }
  const one = await runtime.create('one', { rootfs: made, args: ['true'] })
  const calls: Record<string, () => unknown> = {
    start: async () => {
      await one.start()
      await one.start()
    },
    kill: () => one.kill(1000),
    'create again': () => runtime.create('one', { rootfs: made }),
    state: async () => {
      await one.delete({ force: true })
      await one.state()
    },
    delete: () => one.delete(),
  }
  for (const [name, call] of Object.entries(calls)) {
    const error = await thrownBy(call)
    t.true(error instanceof CaissonError, name)
    t.regex(error.stack!, /theCaller .*boundary\.test\.ts/, name)
  }
})

test('the error of a stream names the line that made the stream', async (t) => {
  const image = await Image.fromHost({ layout: scratch('boundary'), programs: ['sh'] })
  const error = await thrownBy(async () => {
    for await (const _ of image.readFile('/nosuch')) void _
  })
  t.regex(error.stack!, /boundary\.test\.ts/)
})

test('errors thrown and abort reasons given by the caller pass unchanged', async (t) => {
  const reason = Object.freeze(new CaissonError('ERR_TIMEOUT', 'mine'))
  const other = new Error('other')
  const { stack } = reason
  t.is<Error, Error>(
    await thrownBy(() => digestFile('/proc/self/exe', 'sha256', { signal: AbortSignal.abort(other) })),
    other,
  )
  t.is(
    await thrownBy(() => digestFile('/proc/self/exe', 'sha256', { signal: AbortSignal.abort(reason) })),
    reason,
  )
  t.is(reason.stack, stack)
})

test('an uncaught error shows readable lines and the line of the program', (t) => {
  const program = join(scratch('boundary'), 'program.mjs')
  const lines = [
    `import { Image } from ${JSON.stringify(join(checkout, 'dist/index.js'))}`,
    `const open = () => Image.open('oci:/nonexistent')`,
    `await open()`,
  ]
  writeFileSync(program, lines.join('\n'))
  const { status, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' })
  t.is(status, 1)
  t.regex(stderr, /CaissonError: /)
  t.true(stderr.includes('program.mjs:2:26'), stderr)
  t.true(stderr.split('\n').every((line) => line.length < 400))
  // With its source map a frame is in the sources.
  const mapped = spawnSync(process.execPath, ['--enable-source-maps', program], { encoding: 'utf8' })
  t.regex(mapped.stderr, /ts\/image\/\S+\.ts:\d+/)
})

test('the built files are readable', (t) => {
  const built = readdirSync(join(checkout, 'dist'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(js|cjs)$/.test(name))
    .map((name) => join(checkout, 'dist', name))
  t.true(built.length > 20)
  for (const path of built) t.notRegex(readFileSync(path, 'utf8'), /\bclass (_\w+|\w+2)\b/, path)
  for (const path of built.filter((name) => !/dist\/\w+\.js$/.test(name))) {
    const lines = readFileSync(path, 'utf8').split('\n')
    t.true(lines.length > 3 && lines.every((line) => line.length < 2000), path)
    t.true(
      lines.some((line) => line.startsWith('//# sourceMappingURL=')),
      path,
    )
  }
})

needs('root')(
  'directories that are read-only, full or no directories are errors of the package',
  async (t) => {
    const folder = scratch('boundary')
    const program = join(folder, 'program.mjs')
    writeFileSync(
      program,
      `import { Image, Runtime, Store } from ${JSON.stringify(join(checkout, 'dist/index.js'))}
     const [bad, layout] = process.argv.slice(2)
     const image = await Image.open('oci:' + layout + ':host')
     const attempts = {
       root: () => new Runtime({ root: bad + '/root', store: layout + '-store' }).run(image, ['sh', '-c', ':']),
       store: () => new Runtime({ root: layout + '-root', store: bad + '/store' }).run(image, ['sh', '-c', ':']),
       import: () => new Store({ root: bad + '/store' }).import(image),
       layout: () => image.unpack(bad + '/bundle'),
       build: () => Image.fromHost({ layout: bad + '/layout', programs: ['sh'] }),
     }
     for (const [name, attempt] of Object.entries(attempts)) {
       const { constructor, code, errno, message, hint, stack } = await attempt().then(() => ({}), (error) => error)
       const ours = stack?.includes('program.mjs')
       console.log(JSON.stringify({ name, error: constructor.name, code, errno, message, hint, ours }))
     }`,
    )
    const layout = join(folder, 'layout')
    await Image.fromHost({ layout, tag: 'host', programs: ['sh'] })
    const places = {
      'read-only': 'mount -t tmpfs -o ro none "$0"',
      full: 'mount -t tmpfs -o size=4k none "$0"; head -c 4096 /dev/zero >"$0/filler"',
      file: 'mount -t tmpfs none "$0"; for name in root store bundle layout; do : >"$0/$name"; done',
    }
    for (const [place, mount] of Object.entries(places)) {
      const bad = scratch('boundary-bad')
      const script = `${mount}; exec "$1" "$2" "$0" "$3"`
      const { stdout, stderr } = spawnSync(
        'unshare',
        ['--mount', 'sh', '-c', script, bad, process.execPath, program, layout],
        { encoding: 'utf8' },
      )
      const results = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, string>)
      t.is(results.length, 5, stderr)
      for (const { name, error, code, message, hint, ours } of results) {
        const what = `${place}, ${name}: ${message}`
        t.true(['CaissonError', 'SpecError'].includes(error!), `${what}: ${error}`)
        t.truthy(code?.startsWith('ERR_'), what)
        if (place === 'read-only') t.true(message!.includes(bad), what)
        t.true(Boolean(ours), what)
        if (place === 'read-only') t.truthy(hint, what)
      }
    }
  },
)
