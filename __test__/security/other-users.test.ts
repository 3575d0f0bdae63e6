/** Names and files that another user of the host could have prepared, or could use. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Runtime } from '../../ts/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { needs } from '../fixtures/needs.ts'
import { nextLine, program } from '../fixtures/program.ts'
import { rootfs, scratch } from '../fixtures/rootfs.ts'

const root = join(scratch('state'), 'root')

/** Makes session keyrings that every user may search and join, as runc and crun name theirs, and waits. */
const planter = (names: string[]): string => `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
KEYCTL = {'x86_64': 250, 'aarch64': 219}[os.uname().machine]
for name in ${JSON.stringify(names)}:
    if os.fork() == 0:
        serial = libc.syscall(KEYCTL, 1, name.encode())
        libc.syscall(KEYCTL, 5, serial, 0x3f3f3f3f)
        print('%08x' % serial, flush=True)
        sys.stdin.read()
        os._exit(0)
sys.stdin.read()
`

needs('root', 'python3')('a keyring that another user has named is not joined', async (t) => {
  const id = `keyring-${process.pid}`
  const names = [`_ses.${id}`, id, `_ses_${id}`]
  const other = spawn('python3', ['-c', planter(names)], {
    uid: 65_534,
    gid: 65_534,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    let said = ''
    while (said.split('\n').length <= names.length) said += String((await once(other.stdout, 'data'))[0])
    const planted = said.trim().split('\n')
    const spec = (config: { linux?: object | undefined }): object => ({
      ...config,
      linux: { ...config.linux, maskedPaths: [] },
    })
    const { stdout } = await new Runtime({ root }).run({ rootfs: rootfs() }, ['cat', '/proc/keys'], {
      id,
      spec: spec as never,
    })
    // A process sees the keys that it possesses or may view: its own keyring is the only one of root's in sight.
    const sessions = stdout.split('\n').filter((line) => / keyring +_ses/.test(line))
    const [own] = sessions.filter((line) => / keyring +_ses: /.test(line))
    t.truthy(own, stdout)
    t.false(planted.includes(own!.split(' ')[0]!.padStart(8, '0')), own)
  } finally {
    other.stdin.end()
    await once(other, 'exit')
  }
})

needs(process.geteuid?.() === 0 ? 'root' : 'userns')(
  'only the owner may use the start socket, whatever the umask',
  async (t) => {
    const path = bundle()
    const id = `umask-${process.pid}`
    const creator = program(`
import { statSync } from 'node:fs'
import { Runtime } from 'caisson'
process.umask(0)
const container = await new Runtime({ root: ${JSON.stringify(root)} }).create(${JSON.stringify(id)}, { bundle: ${JSON.stringify(path)} })
const at = ${JSON.stringify(join(root, id))}
const modes = ['', 'start.sock', 'state.json', 'config.json', 'cleanup.json'].map((name) => statSync(at + '/' + name).mode & 0o777)
console.log(JSON.stringify(modes.map((mode) => mode.toString(8))))
await container.delete()
`)
    const directory = process.geteuid?.() === 0 ? '711' : '700'
    t.deepEqual(JSON.parse(await nextLine(creator)), [directory, '600', '600', '600', '600'])
    t.is((await creator.ended).code, 0)
  },
)
