// Makes a checkout runnable: installs npm packages, builds the addon, the static helper and dist, each only when it is
// missing or older than its sources. Every npm script that needs them starts here, so that one command does everything.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Runs a command in the checkout; ends this process with its status when it fails. */
export function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  if (error) fail(`${command} could not be started: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}

function fail(message) {
  console.error(`caisson: ${message}`)
  process.exit(1)
}

/** Newest modification time below the given paths, in milliseconds; 0 where nothing exists. */
function newest(...paths) {
  let latest = 0
  for (const path of paths) {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (!stat) continue
    latest = Math.max(latest, stat.isDirectory() ? 0 : stat.mtimeMs)
    if (stat.isDirectory())
      latest = Math.max(latest, newest(...readdirSync(path).map((name) => join(path, name))))
  }
  return latest
}

const at = (path) => join(root, path)
const stale = (output, ...sources) => newest(at(output)) < newest(...sources.map(at))

function requireTools() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19))
    fail(`Node 20.19 or newer is needed, this is ${process.version}`)
  if (process.platform !== 'linux') fail('caisson builds and runs on Linux only')
  const missing = []
  if (spawnSync('cargo', ['--version']).error)
    missing.push('Rust 1.88 or newer with cargo (https://rustup.rs)')
  if (spawnSync('cc', ['--version']).error)
    missing.push('a C compiler named cc (Debian: apt-get install gcc libc6-dev)')
  if (missing.length > 0) fail(`please install:\n  - ${missing.join('\n  - ')}`)
}

export const triple = `linux-${process.arch}-gnu`
const rustSources = ['crates', 'Cargo.toml', 'Cargo.lock', 'build.rs']

/** npm packages, as the lock file says. */
export function installPackages() {
  if (
    existsSync(at('node_modules/.package-lock.json')) &&
    !stale('node_modules/.package-lock.json', 'package-lock.json')
  )
    return
  run('npm', ['ci', '--no-audit', '--no-fund'])
}

/** The addon and the static helper, release profile, into npm/<triple>/. */
export function buildNative() {
  const addon = `npm/${triple}/caisson.${triple}.node`
  const helper = `npm/${triple}/bin/caisson-init`
  if (stale(helper, ...rustSources)) {
    requireTools()
    mkdirSync(at(`npm/${triple}/bin`), { recursive: true })
    run(process.execPath, ['scripts/build-helper.mjs', 'release'])
    touch(helper)
  }
  if (stale(addon, ...rustSources)) {
    requireTools()
    const types = '../../ts/native/binding.d.ts'
    run('npx', [
      'napi',
      'build',
      '--platform',
      '--release',
      '--no-js',
      '--dts',
      types,
      '--output-dir',
      `npm/${triple}`,
    ])
    touch(addon)
  }
}

/** dist/: the bundled JavaScript and its type declarations. */
export function buildDist() {
  const sources = ['ts', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/build-dist.mjs']
  if (!stale('dist/index.js', ...sources)) return
  run(process.execPath, ['scripts/build-dist.mjs'])
}

/** cargo leaves an up-to-date output alone; its new time says that it was looked at. */
function touch(path) {
  run('touch', [path])
}

export function prepare() {
  installPackages()
  buildNative()
  buildDist()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) prepare()
