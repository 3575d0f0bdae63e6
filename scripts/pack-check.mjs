// npm run pack:check: packs the package and this machine's platform package, installs both into an empty folder with
// neither Rust nor a compiler on the path, checks the exports, imports every one and runs a container from an image.
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
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { root, run, triple } from './prepare.mjs'

const work = mkdtempSync(join(tmpdir(), 'caisson-pack-'))
process.on('exit', () => rmSync(work, { recursive: true, force: true }))

/** Packs a folder and returns the tarball's path. */
function pack(folder) {
  const { stdout, status, stderr } = spawnSync('npm', ['pack', '--json', '--pack-destination', work], {
    cwd: folder,
    encoding: 'utf8',
  })
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
run('npx', ['publint', '--strict', copy])
const platformName = `@caisson/native-${triple}`
const native = pack(join(root, 'npm', triple))
writeFileSync(
  join(copy, 'package.json'),
  JSON.stringify({
    ...manifest,
    devDependencies: {},
    scripts: {},
    optionalDependencies: { [platformName]: `file:${native}` },
  }),
)
const main = pack(copy)

// A path with node, npm and nothing that compiles.
const bin = join(work, 'bin')
mkdirSync(bin)
for (const name of ['node', 'npm', 'npx', 'sh', 'env']) {
  const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim()
  symlinkSync(found, join(bin, name))
}
const user = join(work, 'user')
mkdirSync(user)
writeFileSync(join(user, 'package.json'), '{ "type": "module", "private": true }')
const env = {
  PATH: `${bin}:${dirname(process.execPath)}`,
  HOME: work,
  npm_config_registry: 'http://127.0.0.1:9/',
}
const step = (command, args) => {
  const { status } = spawnSync(command, args, { cwd: user, stdio: 'inherit', env })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
}
step('npm', ['install', '--offline', '--no-audit', '--no-fund', main, native])
cpSync(join(root, 'scripts/pack-check-user.mjs'), join(user, 'user.mjs'))
step('node', ['user.mjs'])
step('npx', ['--no-install', 'caisson', '--version'])
console.log('the packed package installs, imports and runs')
