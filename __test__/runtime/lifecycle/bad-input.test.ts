import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { CaissonError, Runtime } from '../../../ts/index.ts'
import type { RuntimeSpec } from '../../../ts/spec/index.ts'
import { bundle } from '../../fixtures/bundle.ts'
import { needs } from '../../fixtures/needs.ts'
import { remains } from '../../fixtures/remains.ts'
import { rootfs, scratch } from '../../fixtures/rootfs.ts'

const folder = scratch('bad')
const root = join(folder, 'root')
const warnings: string[] = []
const runtime = new Runtime({ root, onWarning: (message) => warnings.push(message) })
const privileged = needs('root')
let serial = 0

/** Creates from an invalid bundle; nothing may be left. */
async function refused(path: string): Promise<CaissonError> {
  const id = `bad-${process.pid}-${serial++}`
  try {
    const container = await runtime.create(id, { bundle: path, stdio: 'ignore' })
    await container.delete({ force: true })
  } catch (error) {
    const left = remains(root, id)
    if (left.processes.length + left.cgroups.length + left.directories.length > 0) {
      throw new Error(`left behind: ${JSON.stringify(left)}`, { cause: error })
    }
    if (error instanceof CaissonError) return error
    throw error
  }
  throw new Error('was accepted')
}

const edited = (edit: (spec: RuntimeSpec) => void): string => bundle({ edit })

function raw(text: string): string {
  const path = join(folder, `raw-${serial++}`)
  mkdirSync(path)
  writeFileSync(join(path, 'config.json'), text)
  return path
}

test('a bundle that is missing or has no configuration', async (t) => {
  t.is((await refused(join(folder, 'missing'))).code, 'ERR_INVALID_BUNDLE')
  const empty = join(folder, 'empty')
  mkdirSync(empty)
  const error = await refused(empty)
  t.is(error.code, 'ERR_INVALID_BUNDLE')
  t.regex(error.message, /JSON specification file .* not found/)
})

test('a configuration that is not JSON, has wrong types, or is of another version', async (t) => {
  t.is((await refused(raw('{'))).code, 'ERR_INVALID_SPEC')
  t.is((await refused(raw('[]'))).code, 'ERR_INVALID_SPEC')
  t.is((await refused(raw('{"ociVersion":"1.0.0","ociVersion":"1.0.0"}'))).code, 'ERR_INVALID_SPEC')
  const typed = await refused(
    edited((spec) => void ((spec.process as unknown as { args: unknown }).args = 'sh')),
  )
  t.is(typed.code, 'ERR_INVALID_SPEC')
  t.regex(typed.message, /process\.args/)
  const version = await refused(edited((spec) => void (spec.ociVersion = '2.0.0')))
  t.is(version.code, 'ERR_INVALID_SPEC')
  t.regex(version.message, /ociVersion/)
})

test('a root file system that is missing, a file or a link', async (t) => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  const link = join(folder, 'link')
  symlinkSync(rootfs(), link)
  for (const path of [join(folder, 'nowhere'), file, link]) {
    const error = await refused(edited((spec) => void (spec.root = { path })))
    t.is(error.code, 'ERR_INVALID_BUNDLE', path)
    t.true(error.message.includes(path))
  }
  t.is((await t.throwsAsync(runtime.create('x', { rootfs: file })))?.name, 'CaissonError')
})

privileged(
  'a program that is missing and one that cannot be executed are told apart, at create',
  async (t) => {
    const missing = await refused(bundle({ args: ['nosuch'] }))
    t.is(missing.code, 'ERR_EXEC_NOT_FOUND')
    t.regex(missing.message, /executable file not found in \$PATH/)
    t.is((await refused(bundle({ args: ['/no/such'] }))).code, 'ERR_EXEC_NOT_FOUND')
    t.is((await refused(bundle({ args: ['/etc/passwd'] }))).code, 'ERR_EXEC_DENIED')
    t.is((await refused(bundle({ args: [] }))).code, 'ERR_INVALID_SPEC')
  },
)

privileged('a file that the kernel cannot execute fails the start, and nothing is left', async (t) => {
  const source = join(folder, 'garbage')
  writeFileSync(source, '\0\0\0\0', { mode: 0o755 })
  const path = edited((spec) => {
    spec.mounts!.push({ destination: '/garbage', type: 'bind', source, options: ['bind'] })
    spec.process!.args = ['/garbage']
  })
  const id = `bad-${process.pid}-${serial++}`
  const container = await runtime.create(id, { bundle: path, stdio: 'ignore' })
  const error = await t.throwsAsync<CaissonError>(container.start(), { code: 'ERR_EXEC_DENIED' })
  t.is(error?.errno, 'ENOEXEC')
  t.regex(error?.hint ?? '', /not an executable for this machine/)
  await container.delete({ force: true })
  t.deepEqual(remains(root, id).processes, [])
})

privileged('mounts of unknown type or without a source', async (t) => {
  const mount = (type: string, source: string) =>
    edited((spec) => void spec.mounts!.push({ destination: '/tmp', type, source }))
  t.regex((await refused(mount('nosuchfs', 'none'))).message, /nosuchfs|\/tmp/)
  const bind = edited(
    (spec) =>
      void spec.mounts!.push({ destination: '/tmp', type: 'bind', source: '/no/such', options: ['bind'] }),
  )
  const error = await refused(bind)
  t.regex(error.message, /\/no\/such/)
})

test('namespaces that are named twice', async (t) => {
  const error = await refused(edited((spec) => void spec.linux!.namespaces!.push({ type: 'pid' })))
  t.is(error.code, 'ERR_INVALID_SPEC')
  t.regex(error.message, /linux\.namespaces/)
})

privileged('joining a namespace of another type', async (t) => {
  const error = await refused(
    edited((spec) => {
      spec.linux!.namespaces = spec.linux!.namespaces!.map((namespace) =>
        namespace.type === 'uts' ? { type: 'uts', path: '/proc/self/ns/ipc' } : namespace,
      )
      delete spec.hostname
    }),
  )
  t.regex(error.message, /uts|namespace/)
})

test('a hostname without a UTS namespace', async (t) => {
  const error = await refused(
    edited(
      (spec) => void (spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'uts')),
    ),
  )
  t.is(error.code, 'ERR_INVALID_SPEC')
  t.regex(error.message, /hostname/)
})

test('a property that is not implemented is refused by its path', async (t) => {
  const error = await refused(
    edited((spec) => void ((spec.linux as Record<string, unknown>)['intelRdt'] = { closID: 'x' })),
  )
  t.is(error.code, 'ERR_UNSUPPORTED_SPEC')
  t.regex(error.message, /linux\.intelRdt/)
})

privileged('an unknown capability is a warning, not a failure', async (t) => {
  const path = edited((spec) => void spec.process!.capabilities!.bounding!.push('CAP_NO_SUCH'))
  await using container = await runtime.create(`bad-${process.pid}-${serial++}`, {
    bundle: path,
    stdio: 'ignore',
  })
  t.is((await container.state()).status, 'created')
  t.true(warnings.some((message) => message.includes('CAP_NO_SUCH')))
})

test('options that contradict each other', async (t) => {
  await t.throwsAsync(runtime.create('x', {}), { code: 'ERR_INVALID_OPTION' })
  await t.throwsAsync(runtime.create('x', { bundle: 'a', rootfs: 'b' }), { code: 'ERR_INVALID_OPTION' })
  t.throws(() => new Runtime({ cgroupManager: 'systemd' as 'cgroupfs' }), { code: 'ERR_INVALID_OPTION' })
})

test.after.always('the root is empty', () => rmSync(root, { recursive: true, force: true }))

test('more descriptors than one message holds are refused by their number', async (t) => {
  const error = await t.throwsAsync<CaissonError>(
    runtime.create('many', { bundle: bundle(), preserveFds: 247 }),
    { instanceOf: CaissonError, code: 'ERR_INVALID_OPTION' },
  )
  t.regex(error.message, /preserveFds: is 247; at most 246 descriptors/)
})
