/**
 * Finds and loads the platform package: the addon and, beside it, the static helper. Loaded on first use, never on
 * import. Order: the override variable, a local build (`npm/<triple>/`), the installed platform package.
 */
import { CaissonError } from '../errors.ts'
import { VERSION } from '../version.ts'
import type * as Binding from './binding.d.ts'

export type Addon = typeof Binding

/** Directory override: a folder that holds `caisson.<triple>.node` and `bin/caisson-init`. */
export const NATIVE_DIR_VARIABLE = 'CAISSON_NATIVE_DIR'

/** Node's modules on first use: importing them is most of the cost of importing a small part of this package. */
const node = {
  get fs(): typeof import('node:fs') {
    return process.getBuiltinModule('node:fs')
  },
  get module(): typeof import('node:module') {
    return process.getBuiltinModule('node:module')
  },
  get path(): typeof import('node:path') {
    return process.getBuiltinModule('node:path')
  },
}

let loaded: { addon: Addon; directory: string } | undefined

/** The native functions, loaded once per module instance. Throws `ERR_PLATFORM` or `ERR_BINDING_MISSING`. */
export function addon(): Addon {
  return load().addon
}

/** Path of the static helper that belongs to the loaded addon. Throws `ERR_HELPER_MISSING`. */
export function helperPath(): string {
  const path = node.path.join(load().directory, 'bin', 'caisson-init')
  if (node.fs.existsSync(path)) return path
  throw new CaissonError('ERR_HELPER_MISSING', `caisson-init is missing at ${path}`, {
    path,
    hint: `reinstall the platform package, or in a checkout run: npm run build`,
  })
}

function load(): { addon: Addon; directory: string } {
  if (loaded) return loaded
  refuseBun()
  const { existsSync } = node.fs
  const { join } = node.path
  const triple = platformTriple()
  const packageName = `@caisson/native-${triple}`
  const file = `caisson.${triple}.node`
  const here = thisFile()
  const require = node.module.createRequire(here)
  const candidates = candidateDirectories(require, here, triple, packageName)
  const directory = candidates.find((candidate) => existsSync(join(candidate, file)))
  if (directory === undefined) {
    throw new CaissonError('ERR_BINDING_MISSING', `the native package ${packageName} was not found`, {
      hint:
        `looked for ${file} in ${candidates.join(', ') || 'no folder'}; install ${packageName} ` +
        `(npm sometimes drops optional dependencies: remove node_modules and the lock file and install again), ` +
        `build it with npm run build, or point ${NATIVE_DIR_VARIABLE} at its folder`,
    })
  }
  const path = join(directory, file)
  loaded = { addon: open(require, path), directory }
  return loaded
}

function open(require: NodeJS.Require, path: string): Addon {
  let addon: Addon
  try {
    addon = require(path) as Addon
  } catch (cause) {
    throw new CaissonError('ERR_BINDING_MISSING', `cannot load ${path}: ${(cause as Error).message}`, {
      path,
      hint: `the file was found but does not load here; check the C library version, or rebuild with npm run build`,
      cause,
    })
  }
  const version = addon.version()
  if (version === VERSION) return addon
  throw new CaissonError(
    'ERR_BINDING_MISSING',
    `version mismatch: caisson is ${VERSION}, the native package at ${path} is ${version}`,
    { path, hint: 'install caisson and its native package in the same version' },
  )
}

/** Bun's net.Socket never reads a descriptor that native code opened: each `run()` would wait forever. */
function refuseBun(): void {
  if (process.versions['bun'] === undefined) return
  throw new CaissonError('ERR_PLATFORM', 'caisson does not run on Bun, whose streams cannot read its pipes', {
    hint: 'Node 20.19 or newer is needed, or Deno',
  })
}

/** In a bundled program this is the bundle. */
function thisFile(): string {
  const path = import.meta.filename as string | undefined
  if (path !== undefined) return path
  if (typeof __filename === 'string') return __filename // a bundler made CommonJS of it
  return node.path.resolve(process.argv[1] ?? 'caisson')
}

function candidateDirectories(
  require: NodeJS.Require,
  here: string,
  triple: string,
  packageName: string,
): string[] {
  const override = process.env[NATIVE_DIR_VARIABLE]
  if (override) return [override] // an override that does not work must not be passed over in silence
  const { existsSync } = node.fs
  const { dirname, join } = node.path
  const candidates: string[] = []
  for (let folder = dirname(here); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) {
      candidates.push(join(folder, 'npm', triple))
      break
    }
    if (dirname(folder) === folder) break
  }
  try {
    candidates.push(dirname(require.resolve(`${packageName}/package.json`)))
  } catch {
    // not installed: the caller reports every place it looked at
  }
  return candidates
}

/** For example `linux-x64-gnu`. Throws `ERR_PLATFORM` for a platform without a package. */
export function platformTriple(): string {
  const { platform, arch } = process
  if (platform === 'linux' && (arch === 'x64' || arch === 'arm64')) {
    if (!usesMusl()) return `linux-${arch}-gnu`
    throw new CaissonError('ERR_PLATFORM', `no native package is published for linux-${arch}-musl yet`, {
      hint: 'use a distribution with glibc, for example Debian, Fedora or Ubuntu',
    })
  }
  throw new CaissonError('ERR_PLATFORM', `caisson does not run on ${platform} ${arch}`, {
    hint: 'Linux on x64 or arm64 is needed',
  })
}

function usesMusl(): boolean {
  try {
    return node.fs.readFileSync('/usr/bin/ldd', 'latin1').includes('musl')
  } catch {
    const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined
    return report?.header?.glibcVersionRuntime === undefined
  }
}
