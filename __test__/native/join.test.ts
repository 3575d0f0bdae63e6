import { readlinkSync } from 'node:fs'
import test from 'ava'
import { Engine } from '../../ts/native/engine.ts'
import { makeBundle, type Bundle } from './bundle.ts'
import { create, failureOf, isAlive, remains, requestFor, runToEnd } from './container.ts'

const engine = new Engine()

function joinNamespace(made: Bundle, type: string, path: string): void {
  const { linux } = made.config
  linux.namespaces = [...linux.namespaces.filter((namespace) => namespace.type !== type), { type, path }]
  made.save()
}

test('namespaces of a running container are joined, the pid namespace through a second clone', async (t) => {
  const first = makeBundle(t, ['sleep', '1000'])
  const host = requestFor(first, { stdio: [-1, -1, -1] })
  const { pid } = await create(t, engine, host)
  await engine.start(host.root, host.id)
  const made = makeBundle(t, ['sh', '-c', 'test $$ != 1 && ls -l /proc/self/ns/net /proc/1/ns/net'])
  for (const [type, name] of [
    ['pid', 'pid'],
    ['network', 'net'],
    ['ipc', 'ipc'],
  ] as const) {
    joinNamespace(made, type, `/proc/${String(pid)}/ns/${name}`)
  }
  const request = requestFor(made)
  const { exitCode, stdout, stderr } = await runToEnd(t, engine, request)
  t.is(exitCode, 0, stderr)
  t.is(stdout.split(readlinkSync(`/proc/${String(pid)}/ns/net`)).length, 3, stdout)
  t.true(isAlive(pid), 'the other container is not touched')
  t.deepEqual(remains(made.root, request.id), [])
})

test('a joined pid namespace does not end with the container: force ends all of its processes', async (t) => {
  const first = makeBundle(t, ['sleep', '1000'])
  const host = requestFor(first, { stdio: [-1, -1, -1] })
  const { pid } = await create(t, engine, host)
  await engine.start(host.root, host.id)
  const made = makeBundle(t, ['sh', '-c', 'sleep 1000 & sleep 1000'])
  joinNamespace(made, 'pid', `/proc/${String(pid)}/ns/pid`)
  const request = requestFor(made, { stdio: [-1, -1, -1] })
  await create(t, engine, request)
  await engine.start(request.root, request.id)
  await engine.destroy({ root: request.root, id: request.id, force: true })
  t.deepEqual(remains(made.root, request.id), [])
  t.true(isAlive(pid))
})

test('a new user namespace beside a joined network namespace of the host', async (t) => {
  const made = makeBundle(t, ['sh', '-c', 'id -u; ls -l /proc/self/ns/net'])
  made.config.linux.namespaces.push({ type: 'user' })
  const mapping = [{ containerID: 0, hostID: 100_000, size: 1000 }]
  Object.assign(made.config.linux, { uidMappings: mapping, gidMappings: mapping })
  // sysfs belongs to the network namespace, and that one to the host here.
  made.config['mounts'] = (made.config['mounts'] as { type: string }[]).filter(({ type }) => type !== 'sysfs')
  joinNamespace(made, 'network', '/proc/self/ns/net')
  const { exitCode, stdout, stderr } = await runToEnd(t, engine, requestFor(made))
  t.is(exitCode, 0, stderr)
  t.true(stdout.startsWith('0\n') && stdout.includes(readlinkSync('/proc/self/ns/net')), stdout)
})

test('a path that is another kind of namespace is refused and leaves nothing', async (t) => {
  const made = makeBundle(t)
  joinNamespace(made, 'network', '/proc/self/ns/ipc')
  const request = requestFor(made)
  const error = await failureOf(t, engine.create(request))
  t.is(error.code, 'ERR_INVALID_SPEC')
  t.regex(error.message, /network .*\/proc\/self\/ns\/ipc.* is not a network namespace/)
  t.deepEqual(remains(made.root, request.id), [])
})
