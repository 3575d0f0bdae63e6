/** Hints of the errors that new users meet first. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Runtime } from '../../../ts/index.ts'
import { needs } from '../../fixtures/needs.ts'
import { program } from '../../fixtures/program.ts'
import { rootfs, scratch } from '../../fixtures/rootfs.ts'
import { plainImage } from '../../store/images.ts'

const folder = scratch('hints')
const runtime = new Runtime({ root: join(folder, 'root'), store: join(folder, 'store') })
const able = needs(process.geteuid?.() === 0 ? 'root' : 'userns')

able('a bind mount without the option says to add it', async (t) => {
  const mounts = [{ type: 'bind', source: folder, destination: '/mnt' }]
  const run = runtime.run({ rootfs: rootfs() }, ['true'], { mounts })
  const error = await t.throwsAsync(async () => void (await run), { code: 'ERR_INVALID_SPEC' })
  t.regex(error.message, /options: a bind mount needs the option "bind" or "rbind": add it/)
})

able('a relative source of a mount counts from the current directory', async (t) => {
  mkdirSync(join(folder, 'data'))
  writeFileSync(join(folder, 'data/file'), 'content')
  const source = join(folder, 'data').slice(1)
  const before = process.cwd()
  process.chdir('/')
  try {
    for (const options of [['bind'], ['rbind', 'ro']]) {
      const mounts = [{ source, destination: '/tmp', options }]
      t.is((await runtime.run({ rootfs: rootfs() }, ['cat', '/tmp/file'], { mounts })).stdout, 'content')
    }
    if (process.geteuid?.() === 0) {
      const mounts = [{ source, destination: '/tmp', options: ['bind'] }]
      t.is((await runtime.run(plainImage(), ['cat', '/tmp/file'], { mounts })).stdout, 'content')
    }
  } finally {
    process.chdir(before)
  }
})

test('a store that cannot be made names the variable', async (t) => {
  const states = join(folder, 'states')
  mkdirSync(states)
  chmodSync(states, 0o777)
  const home = '/nonexistent'
  const source = `
    import { Runtime } from 'caisson'
    const runtime = new Runtime({ root: ${JSON.stringify(join(states, 'root'))} })
    await runtime.run(${JSON.stringify(plainImage())}, ['true']).catch(({ code, hint, message }) => console.log(code, hint ?? message))
  `
  const { reader, ended } = program(source, {
    ...(process.geteuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}),
    env: { HOME: home, XDG_DATA_HOME: '', CAISSON_STORE: '', XDG_RUNTIME_DIR: '' },
  })
  let printed = ''
  reader.on('line', (line) => (printed += line))
  const { stderr } = await ended
  const expected = `ERR_SYSCALL the store is below the home directory, ${home}: set CAISSON_STORE, `
  t.true(printed.startsWith(expected), printed + stderr)
})
