/**
 * A client without descriptors, the native package or a writable directory. Each run settles and leaves nothing.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { program, type ProgramOptions } from '../../fixtures/program.ts'
import { missing, needs } from '../../fixtures/needs.ts'
import { rootfs, scratch } from '../../fixtures/rootfs.ts'
import { plainImage } from '../../store/images.ts'

interface Outcome {
  code: string
  errno?: string
  message: string
}

/** Output of a program until its end; one that does not end is killed and fails the test. */
async function outcomes<T = Outcome>(source: string, options: ProgramOptions, seconds = 60): Promise<T[]> {
  const { child, reader, ended } = program(source, options)
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000)
  const lines: T[] = []
  reader.on('line', (line) => lines.push(JSON.parse(line) as T))
  const { code, signal, stderr } = await ended
  clearTimeout(timer)
  if (code !== 0) throw new Error(`ended with ${code ?? signal} after ${lines.length} lines: ${stderr}`)
  return lines
}

const trial = (root: string, source: string, more = ''): string => `
  import { Runtime } from 'caisson'
  const runtime = () => new Runtime({ root: ${JSON.stringify(root)}, onWarning() {} ${more} })
  const say = (value) => console.log(JSON.stringify(value))
  const attempt = (client) => client.run(${source}, ['true'], { timeout: 20_000 }).then(
    () => ({ code: 'ok', message: '' }),
    ({ code, errno, message, stack }) => ({ code: code ?? 'none', errno, message, stack }))
`

function filesBelow(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true }).map(String)
  } catch {
    return []
  }
}

for (const [what, file] of [
  ['missing', undefined],
  ['made for another C library', 'not an ELF file'],
] as const) {
  test(`a native package that is ${what} is the error, at once`, async (t) => {
    const native = join(scratch('native'), 'empty')
    mkdirSync(native)
    if (file !== undefined)
      for (const arch of ['x64', 'arm64']) writeFileSync(join(native, `caisson.linux-${arch}-gnu.node`), file)
    const root = join(scratch('state'), 'root')
    const [outcome] = await outcomes(`${trial(root, "'host'")}; say(await attempt(runtime()))`, {
      env: { CAISSON_NATIVE_DIR: native },
    })
    t.is(outcome!.code, 'ERR_BINDING_MISSING')
    t.deepEqual(filesBelow(root), [])
  })
}

const sources: Record<string, (folder: string) => [source: string, more: string]> = {
  'the host': () => ["'host'", ''],
  'a root file system': () => [JSON.stringify({ rootfs: rootfs() }), ''],
  // With a new store for each fresh client, so that layers are unpacked.
  'an image': (folder) => [
    JSON.stringify(plainImage()),
    `, store: ${JSON.stringify(folder)} + '/store-' + serial++`,
  ],
}

for (const [name, make] of Object.entries(sources)) {
  const run = name === 'an image' && missing('busybox') !== undefined ? test.skip : needs('root')
  run(`with few descriptors left ${name} settles, and runs once there are some`, async (t) => {
    const folder = scratch('state')
    const root = join(folder, 'root')
    const [source, more] = make(folder)
    const text = `
      let serial = 0
      import { closeSync, openSync } from 'node:fs'
      ${trial(root, source, more)}
      say(await attempt(runtime())) // everything is loaded
      const prepared = runtime()
      for (let free = 0; free < 32; free++)
        for (const kind of ['fresh', 'prepared']) {
          const client = kind === 'fresh' ? runtime() : prepared
          const taken = []
          try { for (;;) taken.push(openSync('/dev/null')) } catch {}
          for (const descriptor of taken.splice(0, free)) closeSync(descriptor)
          const outcome = await attempt(client)
          for (const descriptor of taken) closeSync(descriptor)
          say({ free, kind, ...outcome })
        }
      say(await attempt(prepared))
      process.exit()
    `
    const seen = await outcomes<Outcome & { free?: number }>(text, {
      under: ['sh', '-c', 'ulimit -S -n 256; exec "$@"', 'sh'],
    })
    t.is(seen.length, 66)
    t.is(seen[0]!.code, 'ok')
    t.is(seen.at(-1)!.code, 'ok')
    const failed = seen.filter(({ code }) => code !== 'ok')
    t.true(failed.length > 4)
    for (const outcome of failed) t.regex(outcome.code, /^ERR_/, JSON.stringify(outcome))
    t.deepEqual(
      filesBelow(root).filter((path) => path !== '.bundles'),
      [],
    )
  })
}
