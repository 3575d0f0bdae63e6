/** Overlays on kernels that only have the older mount interfaces. */
import type { ExecutionContext } from 'ava'
import { denying, OLDER } from '../fixtures/denying.ts'
import { needs } from '../fixtures/needs.ts'
import { makeImage } from './images.ts'
import { answer, rootless } from './user.ts'

const privileged = needs('root', 'busybox', 'python3')

const line = `stat -c "%n %a %u:%g" /usr/lib /original; cat /opaque/new; rm -r /opaque; mkdir /opaque; ls /opaque
  echo , > /original; cat /original /proc/self/mountinfo`

interface Answer {
  stdout: string
  warnings: string[]
}

type Kernel = keyof typeof OLDER

const mapping = `(spec: any) => {
  const map = [{ containerID: 0, hostID: 300_000, size: 65_536 }]
  const namespaces = [...spec.linux.namespaces, { type: 'user' }]
  return { ...spec, linux: { ...spec.linux, namespaces, uidMappings: map, gidMappings: map } }
}`

/** Runs the line once for each of the options, on such a kernel. */
async function runs(
  kernel: Kernel,
  as: 'root' | 'ordinary',
  options: readonly object[],
  mapped = false,
): Promise<Answer[]> {
  const words = ['sh', '-c', line]
  const body = `
const answers: unknown[] = []
const spec = ${mapped ? mapping : 'undefined'}
for (const options of ${JSON.stringify(options)}) {
  const run = runtime.run(${JSON.stringify(makeImage())}, ${JSON.stringify(words)}, { ...options as object, spec, reject: false })
  const { stdout, stderr } = await run
  answers.push({ stdout: stdout + stderr, warnings: warnings.splice(0) })
}
console.log(JSON.stringify(answers))
`
  return (await answer(body, { as, under: denying(OLDER[kernel]) })) as Answer[]
}

function check(t: ExecutionContext, { stdout, warnings }: Answer, owner = '3:4'): void {
  const expected = `/usr/lib 2755 ${owner}\n/original 4755 0:0\nnew,\n`
  t.is(stdout.slice(0, expected.length), expected)
  t.deepEqual(warnings, [])
  const overlay = /^.* \/ \/ .* - overlay .*$/m.exec(stdout)?.[0] ?? stdout
  // The mount options show which interface was used.
  t.regex(overlay, /,lowerdir=self\/fd\/\d+:self/)
}

const ways = [{ writable: 'disk' }, { writable: 'tmpfs' }]

for (const kernel of ['6.12', '5.1'] as const) {
  privileged(`an overlay as on Linux ${kernel}`, async (t) => {
    for (const result of await runs(kernel, 'root', ways)) check(t, result)
  })
}

privileged('an overlay with mapped owners as on Linux 6.12', async (t) => {
  for (const result of await runs('6.12', 'root', ways, true)) check(t, result)
})

privileged('as on Linux 5.11 no owners are mapped: a copy has them, and a warning says so', async (t) => {
  const [result] = await runs('5.11', 'root', [{}], true)
  t.is(result!.stdout.split('\n', 3).join(' '), '/usr/lib 2755 3:4 /original 4755 0:0 new,')
  t.regex(result!.warnings.join(), /copied for every container/)
})

rootless('an ordinary user has overlays as on Linux 6.12', async (t) => {
  for (const result of await runs('6.12', 'ordinary', ways)) check(t, result, '0:0')
})
