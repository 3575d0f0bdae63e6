// Bundles ts/ into dist/. zod goes in, so a user installs no JavaScript dependency.
//
//   dist/cjs/      what Node and Jest run, by `require` and by `import`: one copy of every class and of all state
//   dist/*.js      the same for `import`: each names what its CommonJS twin exports; and the command
//   dist/esm/      the same sources for bundlers, which follow imports and leave out what is not used
//   dist/*.d.ts    the declarations of each entry point, *.d.cts those of `require`
import { build } from 'esbuild'
import { createRequire } from 'node:module'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import { root, run } from './prepare.mjs'

// Under its name when it is complete: what is missing is built again, half of it would not be.
const out = join(root, 'dist.new')
const library = { index: 'ts/index.ts', digest: 'ts/digest/index.ts', spec: 'ts/spec/index.ts' }

const common = {
  absWorkingDir: root,
  platform: 'node',
  target: 'node20.19',
  // Readable: an uncaught error shows the line that threw.
  minify: false,
  sourcemap: 'linked',
  logLevel: 'warning',
}

/** ES modules with shared chunks: what the entry points have in common exists once. */
function buildModules(entryPoints, outdir) {
  return build({
    ...common,
    entryPoints,
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    chunkNames: 'chunks/[name]-[hash]',
  })
}

/** `var Image = class _Image { … }` of esbuild: the inner name is the one that people see. Lines stay as they are. */
function restoreClassNames(folder) {
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!/\.c?js$/.test(name)) continue
    const before = readFileSync(join(folder, name), 'utf8')
    let code = before
    for (const [, name] of before.matchAll(/\b(?:var|let|const) (\w+) = class _\1\b/g))
      code = code.replaceAll(new RegExp(`(?<![\\w$])_${name}(?![\\w$])`, 'g'), name)
    if (code !== before) writeFileSync(join(folder, name), code)
  }
}

/** esbuild splits ES modules only, so its chunks are translated one by one. */
async function buildCommonJs(from, outdir) {
  await build({
    ...common,
    entryPoints: readdirSync(from, { recursive: true })
      .filter((name) => name.endsWith('.js'))
      .map((name) => join(from, name)),
    outbase: from,
    outdir,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    format: 'cjs',
    // Jest has no import() without a flag.
    supported: { 'dynamic-import': false },
    define: { 'import.meta.filename': '__filename' },
    plugins: [
      {
        name: 'chunks-stay-apart',
        setup({ onResolve }) {
          onResolve({ filter: /^\.{1,2}\// }, ({ path, kind }) =>
            kind === 'entry-point' ? undefined : { path: path.replace(/\.js$/, '.cjs'), external: true },
          )
        },
      },
    ],
  })
}

/** `import` of the package: names only, so that both ways in lead to the same objects. */
function writeWrappers() {
  const require = createRequire(import.meta.url)
  for (const name of Object.keys(library)) {
    const names = Object.keys(require(join(out, 'cjs', `${name}.cjs`))).sort()
    const source = `import entry from './cjs/${name}.cjs'\nexport const {\n  ${names.join(',\n  ')},\n} = entry\n`
    writeFileSync(join(out, `${name}.js`), source)
  }
}

/** One declaration file for each entry point and what they share; nothing of the sources' own layout. */
async function writeDeclarations() {
  const separate = join(out, 'types')
  run('npx', ['tsc', '-p', 'tsconfig.build.json', '--outDir', separate])
  mkdirSync(join(separate, 'native'), { recursive: true })
  cpSync(join(root, 'ts/native/binding.d.ts'), join(separate, 'native/binding.d.ts')) // tsc emits no copy of it
  const input = Object.fromEntries(
    Object.entries(library).map(([name, path]) => [
      name,
      join(separate, path.replace(/^ts\//, '').replace(/\.ts$/, '.d.ts')),
    ]),
  )
  const bundle = await rollup({
    input,
    plugins: [dts()],
    external: (id) => id.startsWith('node:'),
    onwarn: (warning) => {
      throw new Error(`declarations: ${warning.message}`)
    },
  })
  const { output } = await bundle.write({
    dir: out,
    entryFileNames: '[name].d.ts',
    chunkFileNames: ({ name }) => `types-${name.replace(/\.d$/, '')}.d.ts`,
  })
  const require = createRequire(import.meta.url)
  for (const { fileName, code } of output) {
    const name = fileName.replace(/\.d\.ts$/, '')
    const values = name in library ? Object.keys(require(join(out, 'cjs', `${name}.cjs`))) : undefined
    const text = values ? withTypeExports(code, values) : code
    writeFileSync(join(out, fileName), text)
    writeFileSync(join(out, `${name}.d.cts`), text.replace(/(from '\.\/[^']*)\.js'/g, "$1.cjs'"))
  }
  rmSync(separate, { recursive: true })
}

/**
 * The bundler of declarations forgets which classes are exported as types only: that is every export without a value.
 */
function withTypeExports(code, values) {
  return code.replace(/^export \{ (.*) \}(.*)$/gm, (_, list, from) => {
    const names = list.split(', ')
    const isValue = (name) => values.includes(name.split(' as ').at(-1))
    const line = (keyword, some) => (some.length === 0 ? [] : [`${keyword} { ${some.join(', ')} }${from}`])
    const types = names.filter((name) => !isValue(name))
    return [...line('export', names.filter(isValue)), ...line('export type', types)].join('\n')
  })
}

rmSync(out, { recursive: true, force: true })
await buildModules(library, join(out, 'esm'))
// The command shares its chunks with the library it is written with.
const whole = join(out, 'whole')
await buildModules({ ...library, cli: 'ts/cli/main.ts' }, whole)
await buildCommonJs(whole, join(out, 'cjs'))
rmSync(whole, { recursive: true })
for (const format of ['esm', 'cjs']) restoreClassNames(join(out, format))
writeWrappers()
// `import` of CommonJS would read all of it for names first.
const load = "import { createRequire } from 'node:module'\ncreateRequire(import.meta.url)('./cjs/cli.cjs')\n"
writeFileSync(join(out, 'cli.js'), `#!/usr/bin/env node\n${load}`)
chmodSync(join(out, 'cli.js'), 0o755)
await writeDeclarations()
rmSync(join(root, 'dist'), { recursive: true, force: true })
renameSync(out, join(root, 'dist'))
