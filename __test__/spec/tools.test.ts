/** Documents written by current tools while the test runs: strict mode accepts them, or the test lists the problem. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'
import { Image, validate, type ValidationReport } from '../../ts/index.ts'
import { parseRuntimeFeatures, safeParseRuntimeSpec } from '../../ts/spec/index.ts'
import { needs } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'

const folder = scratch('tools')
let serial = 0
const fresh = (): string => {
  const path = join(folder, String(serial++))
  mkdirSync(path)
  return path
}

function run(cwd: string, program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
  return stdout
}

const errorsOf = ({ documents }: ValidationReport): string[] =>
  documents.flatMap(({ file, errors }) => errors.map(({ path, message }) => `${file} ${path}: ${message}`))

let made: Promise<string> | undefined
/** A layout with one image of the host's own programs. */
function image(): Promise<string> {
  const layout = join(fresh(), 'images')
  return (made ??= Image.fromHost({ layout, tag: 'v1', programs: ['sh', 'cat'] }).then(() => layout))
}

for (const runtime of ['runc', 'crun'] as const) {
  for (const flags of [[], ['--rootless']]) {
    needs(runtime)(`${runtime} spec ${flags.join(' ')}`, (t) => {
      const bundle = fresh()
      run(bundle, runtime, 'spec', ...flags)
      const bytes = readFileSync(join(bundle, 'config.json'))
      const result = safeParseRuntimeSpec(bytes, { mode: 'strict', runnable: true })
      t.true(result.success, result.success ? '' : result.error.message)
      t.is(result.success && Buffer.compare(bytes, result.raw!), 0)
    })
  }
  const told = spawnSync(runtime, ['features'], { encoding: 'utf8' })
  const title = `${runtime} features`
  if (told.status === 0) {
    test(title, (t) => {
      t.regex(parseRuntimeFeatures(told.stdout, { mode: 'strict' }).ociVersionMax, /^1\./)
    })
  } else {
    console.error(`skipped: ${title}: this ${runtime} does not have it`)
    test.skip(title, (t) => t.pass())
  }
}

test('a layout of our own', async (t) => {
  t.deepEqual(errorsOf(await validate(await image())), [])
})

needs('umoci')('umoci: a new image, what it inserts, and the bundle it unpacks', async (t) => {
  const place = fresh()
  run(place, 'umoci', 'init', '--layout', 'images')
  run(place, 'umoci', 'new', '--image', 'images:v1')
  // The schema refuses an image without layers; the text only advises against it.
  t.deepEqual(errorsOf(await validate(join(place, 'images'))), [])
  mkdirSync(join(place, 'files'))
  run(place, 'umoci', 'insert', '--rootless', '--image', 'images:v1', 'files', '/etc')
  run(
    place,
    'umoci',
    'config',
    '--image',
    'images:v1',
    '--config.env',
    'A=1',
    '--config.exposedports',
    '80/tcp',
    '--config.user',
    '0:0',
  )
  t.deepEqual(errorsOf(await validate(join(place, 'images'))), [])
  run(place, 'umoci', 'unpack', '--rootless', '--image', 'images:v1', 'bundle')
  t.deepEqual(errorsOf(await validate(join(place, 'bundle'))), [])
})

const copies: [transport: string, name: string][] = [
  ['oci', 'copied'],
  ['oci-archive', 'copied.tar'],
  ['docker-archive', 'saved.tar'],
]
for (const [transport, name] of copies) {
  needs('skopeo')(`skopeo: ${transport}`, async (t) => {
    const target = join(fresh(), name)
    const suffix = transport === 'docker-archive' ? ':example.org/name:v1' : ':v1'
    run(folder, 'skopeo', 'copy', '--quiet', `oci:${await image()}:v1`, `${transport}:${target}${suffix}`)
    t.deepEqual(errorsOf(await validate(target)), [])
  })
}

needs('skopeo')("skopeo: Docker's format", async (t) => {
  const target = fresh()
  run(folder, 'skopeo', 'copy', '--quiet', '--format', 'v2s2', `oci:${await image()}:v1`, `dir:${target}`)
  const report = await validate(join(target, 'manifest.json'))
  t.is(report.documents[0]!.kind, 'docker-manifest')
  t.deepEqual(errorsOf(report), [])
})

for (const program of ['podman', 'buildah'] as const) {
  needs(program)(`${program}: an image from nothing`, async (t) => {
    const place = fresh()
    const storage = [
      '--root',
      join(place, 'root'),
      '--runroot',
      join(place, 'run'),
      '--storage-driver',
      'vfs',
    ]
    const archive = join(place, 'image.tar')
    if (program === 'buildah') {
      const container = run(place, 'buildah', ...storage, 'from', 'scratch').trim()
      run(place, 'buildah', ...storage, 'config', '--cmd', '/x', '--label', 'a=b', container)
      run(place, 'buildah', ...storage, 'commit', '--quiet', container, `oci-archive:${archive}:v1`)
    } else {
      // Relative: podman makes a name of the path, and names have no capital letters.
      run(dirname(await image()), 'podman', ...storage, 'pull', '--quiet', 'oci:images:v1')
      const [id] = run(place, 'podman', ...storage, 'images', '--quiet').split('\n')
      run(place, 'podman', ...storage, 'save', '--quiet', '--format', 'oci-archive', '--output', archive, id!)
    }
    t.deepEqual(errorsOf(await validate(archive)), [])
  })
}
