// npm run test:nodes: the TypeScript tests on the other Node versions that are supported, each from an npm package that
// carries the executable. Arguments are passed on to ava.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { prepare, root } from './prepare.mjs'
import { skip, summary, typescript } from './suite.mjs'

const [own] = process.versions.node.split('.')
const versions = ['20', '22', '24'].filter((version) => version !== own)

/** Path of the executable, or undefined where it cannot be had. */
function executable(version) {
  const folder = join(root, '.cache', `node-${version}`)
  const path = join(folder, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
  if (!existsSync(path)) {
    const name = `node-linux-${process.arch}@${version}`
    const args = [
      'install',
      '--prefix',
      folder,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      name,
    ]
    spawnSync('npm', args, { stdio: 'inherit' })
  }
  return existsSync(path) ? path : undefined
}

prepare()
for (const version of versions) {
  const node = executable(version)
  const name = `TypeScript on Node ${version}`
  if (node) await typescript(process.argv.slice(2), { node, name })
  else skip(name, `the npm package node-linux-${process.arch} could not be installed`)
}
summary()
