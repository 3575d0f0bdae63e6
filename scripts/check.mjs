// npm run check: everything that is not a test. Runs all of them and names the ones that failed.
import { spawnSync } from 'node:child_process'
import { installPackages, root } from './prepare.mjs'

installPackages()
const checks = {
  types: ['npx', 'tsc', '-p', '.'],
  lint: ['npx', 'oxlint', '--deny-warnings', 'ts', '__test__', 'benchmark', 'examples', 'scripts'],
  format: ['npx', 'prettier', '--check', '--log-level=warn', '.'],
  rustfmt: ['cargo', 'fmt', '--all', '--check'],
  clippy: ['cargo', 'clippy', '--workspace', '--all-targets', '--quiet', '--', '-D', 'warnings'],
  layers: [process.execPath, 'scripts/check-layers.mjs'],
  words: [process.execPath, 'scripts/check-words.mjs'],
}
const failed = []
for (const [name, [command, ...args]] of Object.entries(checks)) {
  console.log(`# ${name}`)
  if (spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status !== 0) failed.push(name)
}
console.log(failed.length === 0 ? 'all checks pass' : `failed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
