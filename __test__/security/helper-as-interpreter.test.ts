/**
 * Programs whose interpreter is `/proc/self/exe`: when execve(2) looks, that is caisson-init, and descriptor 3 is the
 * program's. In the role of its argument the helper would talk there.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { busybox, needs, skipped } from '../fixtures/needs.ts'
import { checkout } from '../fixtures/program.ts'
import { makeRootfs, scratch } from '../fixtures/rootfs.ts'

const folder = scratch('interpreter')
const rootfs = makeRootfs(join(folder, 'rootfs'))
writeFileSync(join(rootfs, 'bin/script'), '#!/proc/self/exe\n', { mode: 0o755 })
writeFileSync(join(rootfs, 'bin/script-in-role'), '#!/proc/self/exe owner\n', { mode: 0o755 })
const source = join(folder, 'program.c')
writeFileSync(source, 'int main(void) { return 0; }\n')
const compiled = ['evil', 'caisson-init'].map((name) =>
  spawnSync('cc', ['-Wl,--dynamic-linker=/proc/self/exe', '-o', join(rootfs, 'bin', name), source]),
)

const commands: Record<string, string[]> = {
  'a script': ['/bin/script'],
  'a script that names a role': ['/bin/script-in-role'],
  'an ELF file': ['/bin/evil'],
  'an ELF file that names a role': ['/bin/evil', 'owner'],
  'an ELF file with the name of the helper': ['caisson-init', 'owner'],
  'an ELF file with the name of the guard': ['caisson-init'],
}

const able =
  compiled.some(({ status }) => status !== 0) || !busybox()
    ? skipped('needs cc and a static busybox')
    : needs(process.geteuid?.() === 0 ? 'root' : 'userns')

for (const [what, args] of Object.entries(commands)) {
  able(`caisson-init refuses to interpret ${what}`, async (t) => {
    const program = join(folder, `${what.replaceAll(' ', '-')}.ts`)
    writeFileSync(
      program,
      `import { Runtime } from ${JSON.stringify(join(checkout, 'ts/index.ts'))}
const runtime = new Runtime({ root: ${JSON.stringify(join(folder, 'state'))} })
const options = { preserveFds: 1, reject: false, timeout: 20_000 }
const { exitCode, stderr, signal } = await runtime.run({ rootfs: ${JSON.stringify(rootfs)} }, ${JSON.stringify(args)}, options)
console.log(JSON.stringify({ exitCode, stderr, signal }))
`,
    )
    const node = ['--import=@oxc-node/core/register', '--no-warnings', program]
    const child = spawn(process.execPath, node, { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
    const canary: Buffer[] = []
    const said: Buffer[] = []
    ;(child.stdio[3] as Readable).on('data', (chunk: Buffer) => canary.push(chunk))
    child.stdout!.on('data', (chunk: Buffer) => said.push(chunk))
    child.stderr!.on('data', (chunk: Buffer) => said.push(chunk))
    await once(child, 'close')
    t.is(Buffer.concat(canary).toString('hex'), '', 'nothing is said on the descriptor of the program')
    const refused =
      '{"exitCode":126,"stderr":"caisson-init: not a program to be executed or an interpreter\\n","signal":null}\n'
    // With the program headers of another file the start-up code of some C libraries does not get as far as main.
    const crashed = '{"exitCode":null,"stderr":"","signal":"SIGSEGV"}\n'
    const expected = what.startsWith('an ELF file') ? [refused, crashed] : [refused]
    t.true(expected.includes(Buffer.concat(said).toString()), Buffer.concat(said).toString())
  })
}
