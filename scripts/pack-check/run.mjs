// npm run pack:check: packs the package and this machine's platform package, installs both into an empty folder with
// neither Rust nor a compiler on the path, and uses them there as others will: type-checked, by Node, Jest and Deno,
// and from bundles. Each consumer runs a container.
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { root, triple } from '../prepare.mjs'
import { check, summary } from '../suite.mjs'
import { installTools, tool } from './tools.mjs'

installTools()
const work = mkdtempSync(join(tmpdir(), 'caisson-pack-'))
process.on('exit', () => rmSync(work, { recursive: true, force: true }))
const user = join(work, 'user')
const bin = join(work, 'bin') // node, npm and nothing that compiles
mkdirSync(user)
mkdirSync(bin)
for (const name of ['node', 'npm', 'npx', 'sh', 'env']) {
  const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim()
  symlinkSync(found, join(bin, name))
}
const env = {
  PATH: `${bin}:${dirname(process.execPath)}`,
  HOME: work,
  DENO_DIR: join(work, 'deno'),
  DENO_NO_UPDATE_CHECK: '1',
  npm_config_registry: 'http://127.0.0.1:9/',
}

/** Runs a program in the user's folder. Throws with what it printed, unless it ended with `status`. */
function step(command, args, { status = 0, more = {}, cwd = user } = {}) {
  const ran = spawnSync(command, args, { cwd, env: { ...env, ...more }, encoding: 'utf8', timeout: 300_000 })
  const output = `${ran.stdout ?? ''}${ran.stderr ?? ''}`.trim()
  if (ran.status === status) return output
  const end = ran.error?.message ?? ran.signal ?? ran.status
  throw new Error(`${command} ${args.join(' ')} ended with ${end}:\n${output}`)
}

const node = (...args) => step(process.execPath, args)

/** Packs a folder and returns the tarball's path. */
function pack(folder) {
  const args = ['pack', '--json', '--pack-destination', work]
  const { stdout, status, stderr } = spawnSync('npm', args, { cwd: folder, encoding: 'utf8' })
  if (status !== 0) throw new Error(`npm pack failed in ${folder}: ${stderr}`)
  const [{ filename, files, size }] = JSON.parse(stdout)
  console.log(`${filename}: ${files.length} files, ${(size / 1024).toFixed(0)} KiB packed`)
  return join(work, filename)
}

// The published package names its platform packages; `napi pre-publish` adds them, so they are added to a copy here.
const copy = join(work, 'package')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
for (const name of ['package.json', ...manifest.files]) {
  if (!existsSync(join(root, name))) throw new Error(`${name} is named in package.json but missing`)
  cpSync(join(root, name), join(copy, name), { recursive: true })
}
const native = pack(join(root, 'npm', triple))
writeFileSync(
  join(copy, 'package.json'),
  JSON.stringify({
    ...manifest,
    devDependencies: {},
    scripts: {},
    optionalDependencies: { [`@caisson/native-${triple}`]: `file:${native}` },
  }),
)
const main = pack(copy)
writeFileSync(join(user, 'package.json'), '{ "private": true }')
step('npm', ['install', '--offline', '--no-audit', '--no-fund', main, native])
cpSync(join(root, 'scripts/pack-check'), user, {
  recursive: true,
  filter: (path) => !path.endsWith('package.json') && !path.endsWith('package-lock.json'),
})
for (const name of ['@types/node', 'undici-types'])
  cpSync(tool(name), join(user, 'node_modules', name), { recursive: true })

await check('publint', () => node(tool('publint/src/cli.js'), '--strict', copy))
await check('are the types wrong', () =>
  node(tool('@arethetypeswrong/cli/dist/index.js'), '--profile', 'node16', '--no-color', main),
)

// Types.
const names = Object.keys(createRequire(join(user, 'x.js'))('caisson'))
writeFileSync(
  join(user, 'names.mts'),
  `import * as caisson from 'caisson'
type Declared = keyof typeof caisson
type Exported = ${names.map((name) => `'${name}'`).join(' | ')}
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false
export const same: Same<Declared, Exported> = true
`,
)
cpSync(join(user, 'types.mts'), join(user, 'types.cts'))
for (const version of ['5.9', '6']) {
  for (const [module, resolution] of [
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    await check(`types: TypeScript ${version}, ${resolution}`, () => {
      const compilerOptions = {
        strict: true,
        noUncheckedIndexedAccess: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
        target: 'es2022',
        lib: ['es2022', 'esnext.disposable'],
        types: ['node'],
        module,
        moduleResolution: resolution,
      }
      const files = ['types.mts', 'types.cts', 'names.mts']
      writeFileSync(join(user, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
      node(tool(`typescript-${version}/bin/tsc`), '-p', '.')
    })
  }
}

// Programs.
await check('ES modules', () => node('consumer.mjs'))
await check('CommonJS', () => node('consumer.cjs'))
await check('the command', () => {
  const said = step('npx', ['--no-install', 'caisson', '--version'])
  if (!said.includes(manifest.version)) throw new Error(`caisson --version says ${said}`)
})
await check('Jest', () => {
  const preset = [tool('@babel/preset-env'), { targets: { node: 'current' } }]
  writeFileSync(join(user, 'babel.config.json'), JSON.stringify({ presets: [preset] }))
  node(tool('jest/bin/jest.js'), '--rootDir', '.', '--ci')
})
await check('Deno', () => step(tool('.bin/deno'), ['run', '--allow-all', 'consumer.mjs']))
await check('Bun is refused in a sentence', () => {
  const said = step(tool('.bin/bun'), ['consumer.cjs'], { status: 1 })
  if (!/CaissonError.*does not run on Bun/s.test(said)) throw new Error(`Bun said ${said}`)
})

// Bundles: with the package left where it is, and with all of it but the native part inside.
for (const format of ['esm', 'cjs']) {
  for (const external of [true, false]) {
    await check(`an esbuild bundle, ${format}, the package ${external ? 'outside' : 'inside'}`, () => {
      const file = `bundle-${format}-${external}.${format === 'esm' ? 'mjs' : 'cjs'}`
      const args = ['bundled.mjs', '--bundle', '--platform=node', `--format=${format}`, `--outfile=${file}`]
      if (external) args.push('--external:caisson')
      const said = step(tool('.bin/esbuild'), [...args, '--log-level=warning'])
      if (said) throw new Error(said)
      node(file)
    })
  }
}
await check('a bundle elsewhere, its native part in CAISSON_NATIVE_DIR', () => {
  const elsewhere = join(work, 'elsewhere')
  mkdirSync(elsewhere)
  cpSync(join(user, 'bundle-esm-false.mjs'), join(elsewhere, 'app.mjs'))
  const more = { CAISSON_NATIVE_DIR: join(elsewhere, 'native') }
  const refused = step(process.execPath, ['app.mjs'], { cwd: elsewhere, status: 1 })
  if (!refused.includes('ERR_BINDING_MISSING')) throw new Error(`without it the bundle said ${refused}`)
  cpSync(join(user, `node_modules/@caisson/native-${triple}`), more.CAISSON_NATIVE_DIR, { recursive: true })
  step(process.execPath, ['app.mjs'], { cwd: elsewhere, more })
})
summary()
