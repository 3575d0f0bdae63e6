// The tests of the specification that run without peers: as root and as an ordinary user.
import { readdirSync } from 'node:fs'
import { root } from './prepare.mjs'

const folder = '__test__/conformance'
/** These compare with other runtimes, which need root. */
const COMPARED = ['cgroup-values.test.ts', 'differential.test.ts', 'podman.test.ts']

export const conformance = readdirSync(`${root}/${folder}`)
  .filter((name) => name.endsWith('.test.ts') && !COMPARED.includes(name))
  .map((name) => `${folder}/${name}`)
