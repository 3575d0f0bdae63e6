/** Hints of the errors that new users meet first. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Image, Runtime, Store, type CaissonError } from '../../../ts/index.ts'
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
  const error = await t.throwsAsync(async () => void (await run), {
    code: 'ERR_INVALID_OPTION',
  })
  t.is(error.message, 'options: mounts[0].options: a bind mount needs the option "bind" or "rbind": add it')
})

able('a mount is named as the caller has it', async (t) => {
  const run = (mounts: object[], more: object = {}): Promise<unknown> =>
    Promise.resolve(runtime.run({ rootfs: rootfs() }, ['true'], { mounts, ...more } as never).then(() => {}))
  const good = { type: 'tmpfs', source: 'tmpfs', destination: '/tmp' }
  const unreal = { source: join(folder, 'nowhere'), destination: '/mnt', options: ['bind'] }
  await t.throwsAsync(run([good, unreal]), { message: /^mount "\/mnt": openat\(.*nowhere/ })
  const wrong = { type: 'tmpfs', source: 'tmpfs', destination: '' }
  await t.throwsAsync(run([good, wrong]), { message: /^options: mounts\[1\]\.destination: / })
  // With a function that may have moved it, it is one of the configuration.
  await t.throwsAsync(run([good, wrong], { spec: (spec: object) => spec }), {
    message: /^config\.json: mounts\[\d+\]\.destination: /,
    code: 'ERR_INVALID_SPEC',
  })
})

test('the nearest option is suggested, and no long list is printed', async (t) => {
  const hint = async (option: string): Promise<string | undefined> => {
    const run = runtime.run({ rootfs: rootfs() }, ['true'], { [option]: 1 } as never)
    const error = await t.throwsAsync<CaissonError>(Promise.resolve(run.then(() => {})), {
      code: 'ERR_INVALID_OPTION',
    })
    return error!.hint
  }
  t.is(await hint('memry'), 'did you mean memory?')
  t.is(await hint('timout'), 'did you mean timeout?')
  t.is(await hint('maxbufer'), 'did you mean maxBuffer?')
  t.is(await hint('enviroment'), 'did you mean env?')
  t.is(await hint('something'), undefined)
  const error = t.throws(() => new Runtime({ rot: '/x' } as never), { code: 'ERR_INVALID_OPTION' })
  t.is((error as CaissonError).hint, 'did you mean root?')
  t.regex(t.throws(() => new Runtime({ nothing: 1 } as never)).message, /the options are root, /)
})

test('create() without an id says that it is missing', async (t) => {
  const create = runtime.create as unknown as (options: object) => Promise<unknown>
  await t.throwsAsync(create.call(runtime, { image: 'oci:x' }), {
    code: 'ERR_INVALID_ID',
    message: /^missing container id \(the id is the first argument/,
  })
})

test('what does not exist is said in the same words', async (t) => {
  for (const reference of ['oci:', 'oci-archive:', 'docker-archive:', 'tar:', 'dir:']) {
    const path = join(folder, 'missing')
    await t.throwsAsync(Image.open(`${reference}${path}`), {
      code: 'ERR_IMAGE_NOT_FOUND',
      message: `${path} does not exist`,
    })
  }
})

test('a file that is not an archive is named', async (t) => {
  const path = join(folder, 'notes.txt')
  writeFileSync(path, 'not an archive\n'.repeat(100))
  for (const reference of ['oci-archive:', 'docker-archive:', 'tar:']) {
    const opened = Image.open(`${reference}${path}`).then((image) =>
      image.unpackRootfs(join(folder, 'unpacked')),
    )
    await t.throwsAsync(opened, {
      code: 'ERR_LAYER_INVALID',
      message: /notes\.txt: not a tar archive$|^sha256:[a-f0-9]+: not a tar archive$/,
    })
  }
})

test('a store that cannot be read is not an empty one', async (t) => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  await t.throwsAsync(new Store({ root: join(file, 'store') }).list(), {
    code: 'ERR_SYSCALL',
    message: /ENOTDIR/,
  })
  t.deepEqual(await new Store({ root: join(folder, 'no-store') }).list(), { images: [], snapshots: [] })
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
