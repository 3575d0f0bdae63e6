import { spawnSync } from 'node:child_process'
import test from 'ava'
import { missing } from '../fixtures/needs.ts'
import { makeImage } from './images.ts'
import { answer } from './user.ts'

const obstacle =
  missing('root', 'busybox') ?? (spawnSync('setpriv', ['--version']).error ? 'needs setpriv' : undefined)
if (obstacle) console.error(`skipped: root without CAP_SYS_PTRACE: ${obstacle}`)

;(obstacle ? test.skip : test)(
  'root without CAP_SYS_PTRACE has layers with mapped owners, not a copy',
  async (t) => {
    const line = 'stat -c %u:%g /usr/lib; grep " / / " /proc/self/mountinfo; cat /proc/self/uid_map'
    const body = `
const map = [{ containerID: 0, hostID: 300_000, size: 65_536 }]
const idMappings = { uidMappings: map, gidMappings: map }
const { stdout } = await runtime.run(${JSON.stringify(makeImage())}, ['sh', '-c', ${JSON.stringify(line)}], { idMappings })
console.log(JSON.stringify({ stdout, warnings }))
`
    const under = ['setpriv', '--bounding-set=-sys_ptrace', '--inh-caps=-sys_ptrace']
    const { stdout, warnings } = (await answer(body, { as: 'root', under })) as {
      stdout: string
      warnings: string[]
    }
    t.regex(stdout, /^3:4\n.* - overlay .*\n\s+0\s+300000\s+65536\n?$/)
    t.deepEqual(warnings, [])
  },
)
