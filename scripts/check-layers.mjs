// The rules of the layout, read from the sources themselves: which layer may import which, where `unsafe` is allowed,
// and which file names say nothing.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { root } from './prepare.mjs'

// Each TypeScript layer with the layers it may import; every layer may import itself.
const typescript = {
  codes: [],
  version: [],
  visible: [],
  errors: ['codes', 'visible'],
  boundary: ['errors'],
  options: ['errors'],
  native: ['boundary', 'errors', 'version'],
  digest: ['boundary', 'native', 'errors'],
  spec: ['digest', 'errors'],
  image: ['boundary', 'native', 'spec', 'digest', 'options', 'errors'],
  runtime: ['boundary', 'image', 'native', 'spec', 'digest', 'options', 'errors', 'visible'],
  index: ['runtime', 'image', 'spec', 'digest', 'errors'],
  cli: ['visible', 'index', 'runtime', 'image', 'native', 'spec', 'digest', 'options', 'errors', 'version'],
}
// Each crate with the workspace crates it may depend on.
const crates = {
  accounts: [],
  flags: [],
  sys: ['flags'],
  code: [],
  // What this process may do: asked nowhere else.
  rights: ['sys'],
  digest: ['boundary', 'sys'],
  layer: ['accounts', 'code', 'digest', 'rights', 'sys'],
  cgroup: ['sys'],
  // Profiles and filters as data: no system call, as in flags.
  seccomp: ['flags'],
  plan: ['code', 'flags', 'seccomp'],
  hook: ['code', 'plan', 'sys'],
  // The state directory, for all who touch it: the engine, and the guard that cleans up after it.
  state: ['code', 'sys'],
  resctrl: ['sys'],
  engine: ['accounts', 'code', 'hook', 'plan', 'cgroup', 'resctrl', 'rights', 'seccomp', 'state', 'sys'],
  init: ['accounts', 'code', 'flags', 'hook', 'plan', 'cgroup', 'resctrl', 'state', 'sys'],
  binding: ['code', 'engine', 'plan', 'cgroup', 'layer', 'digest', 'rights', 'seccomp', 'sys'],
}

const problems = []
const files = (folder, ending) =>
  readdirSync(join(root, folder), { recursive: true })
    .map((name) => join(folder, name))
    .filter((name) => name.endsWith(ending))

/** ts/runtime/lifecycle/container.ts → runtime; ts/errors.ts → errors. */
const layerOf = (path) =>
  relative('ts', path)
    .split('/')[0]
    .replace(/(\.d)?\.ts$/, '')

for (const file of files('ts', '.ts')) {
  const source = readFileSync(join(root, file), 'utf8')
  const layer = layerOf(file)
  if (!(layer in typescript)) problems.push(`${file}: unknown layer ${layer}`)
  for (const [, target] of source.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']*)'/g)) {
    const to = layerOf(relative(root, resolve(root, dirname(file), target)))
    if (to !== layer && !typescript[layer]?.includes(to))
      problems.push(`${file}: ${layer} must not import ${to} (${target})`)
  }
  if (/from 'zod/.test(source) && layer !== 'spec') problems.push(`${file}: zod is private to ts/spec`)
}

for (const [crate, allowed] of Object.entries(crates)) {
  const manifest = crate === 'binding' ? 'Cargo.toml' : `crates/${crate}/Cargo.toml`
  const text = readFileSync(join(root, manifest), 'utf8')
  const dependencies = /^\[dependencies\]\n([\s\S]*?)(?=^\[|$(?![\s\S]))/m.exec(text)?.[1] ?? ''
  for (const [, name] of dependencies.matchAll(/^caisson-(\w+)/gm)) {
    if (!allowed.includes(name)) problems.push(`${manifest}: ${crate} must not depend on ${name}`)
  }
  const main = ['lib.rs', 'main.rs']
    .map((name) => join('crates', crate, 'src', name))
    .find((name) => {
      try {
        return readFileSync(join(root, name))
      } catch {
        return false
      }
    })
  // napi's generated registration allows unsafe code for itself, which `forbid` would refuse.
  const wanted = crate === 'binding' ? '#![deny(unsafe_code)]' : '#![forbid(unsafe_code)]'
  if (crate !== 'sys' && !readFileSync(join(root, main), 'utf8').includes(wanted))
    problems.push(`${main}: ${wanted} is missing`)
}

for (const file of files('crates', '.rs')) {
  const code = readFileSync(join(root, file), 'utf8').replace(/\/\/.*$/gm, '')
  if (!file.startsWith('crates/sys/') && /\bunsafe\s*(\{|fn|impl|extern)|allow\(unsafe_code\)/.test(code)) {
    problems.push(`${file}: unsafe outside of crates/sys`)
  }
  // A literal would not be checked by the compiler.
  if (!file.startsWith('crates/code/') && /"ERR_[A-Z_]+"/.test(code)) {
    problems.push(`${file}: codes of errors are variants of caisson_code::Code`)
  }
}

const empty = /^(utils?|helpers?|common|misc|shared)\.(ts|rs|mjs)$/
for (const folder of ['ts', 'crates', '__test__', 'scripts', 'benchmark', 'examples']) {
  for (const file of [...files(folder, '.ts'), ...files(folder, '.rs'), ...files(folder, '.mjs')]) {
    if (empty.test(basename(file))) problems.push(`${file}: a file is named by its one idea`)
  }
}

for (const problem of problems) console.error(problem)
process.exitCode = problems.length === 0 ? 0 : 1
