import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { Engine } from '../../ts/native/engine.ts'
import { mountsOf } from '../fixtures/remains.ts'
import { makeBundle } from './bundle.ts'
import { failureOf, remains, requestFor, runToEnd, until } from './container.ts'

const engine = new Engine()

/** What a process may leak: descriptors (by type), threads of ours, children, mounts. */
function belongings(): { descriptors: string[]; children: string[]; mounts: number } {
  const children = readdirSync('/proc/self/task').flatMap((task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean)
    } catch {
      return [] // the thread has just ended
    }
  })
  return {
    descriptors: readdirSync('/proc/self/fd'),
    children,
    mounts: mountsOf(['caisson-native-']),
  }
}

function threadNames(): string[] {
  return readdirSync('/proc/self/task').flatMap((task) => {
    try {
      return [readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim()]
    } catch {
      return []
    }
  })
}

test.serial('containers that ran leave no descriptor, process, mount or cgroup', async (t) => {
  const made = makeBundle(t, ['sh', '-c', 'echo x'])
  await runToEnd(t, engine, requestFor(made))
  const before = belongings()
  const requests = Array.from({ length: 20 }, () => requestFor(made))
  for (const request of requests) await runToEnd(t, engine, request)
  await until(() => belongings().descriptors.length <= before.descriptors.length) // sockets close a turn later
  const after = belongings()
  t.is(after.mounts, before.mounts)
  t.deepEqual(after.children, before.children)
  t.deepEqual(
    requests.flatMap((request) => remains(made.root, request.id)),
    [],
  )
})

test.serial('containers that failed leave nothing either', async (t) => {
  const made = makeBundle(t)
  await failureOf(t, runToEnd(t, engine, requestFor(made, { stdio: [-2, 987_654, -2] })))
  const mounts = made.config['mounts'] as unknown[]
  mounts.push({ destination: '/x', type: 'bind', source: '/nonexistent-source', options: ['bind'] })
  made.save()
  const before = belongings()
  const requests = Array.from({ length: 10 }, () => requestFor(made, { stdio: [-2, -2, -2] }))
  for (const request of requests) await failureOf(t, engine.create(request))
  await until(() => belongings().descriptors.length <= before.descriptors.length)
  const after = belongings()
  t.is(after.mounts, before.mounts)
  t.deepEqual(after.children, before.children)
  t.deepEqual(
    requests.flatMap((request) => remains(made.root, request.id)),
    [],
  )
})

test.serial('the threads end after the last container', async (t) => {
  const made = makeBundle(t)
  await runToEnd(t, engine, requestFor(made))
  const ours = (): string[] => threadNames().filter((name) => name.startsWith('caisson-'))
  await until(() => ours().length === 0)
  t.is((await runToEnd(t, engine, requestFor(made))).exitCode, 0, 'and begin again')
})
