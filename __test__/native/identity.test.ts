import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Engine } from '../../ts/native/engine.ts'
import { bundleIn, makeBundle, type Bundle } from './bundle.ts'
import { freshId, remains, requestFor, runToEnd } from './container.ts'
import { elsewhere } from './elsewhere.ts'

const engine = new Engine()

interface Mapping {
  containerID: number
  hostID: number
  size: number
}

function mapUsers(made: Bundle, uidMappings: Mapping[], gidMappings: Mapping[] = uidMappings): void {
  made.config.linux.namespaces.push({ type: 'user' })
  Object.assign(made.config.linux, { uidMappings, gidMappings })
  made.save()
}

test('a range of ids as root', async (t) => {
  const made = makeBundle(t, ['sh', '-c', 'id -u; cat /proc/self/uid_map'])
  mapUsers(made, [{ containerID: 0, hostID: 100_000, size: 65_536 }])
  const { exitCode, stdout, stderr } = await runToEnd(t, engine, requestFor(made))
  t.is(exitCode, 0, stderr)
  t.regex(stdout, /^0\n\s+0\s+100000\s+65536\n$/)
})

/** A bundle that belongs to an ordinary user. */
function bundleOf(t: { teardown(work: () => void): void }, uid: number, gid: number, args: string[]): Bundle {
  const folder = mkdtempSync(join(tmpdir(), 'caisson-native-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o755)
  const made = bundleIn(folder, args)
  mkdirSync(made.root)
  for (const path of [folder, made.bundle, made.rootfs, made.root]) chownSync(path, uid, gid)
  return made
}

/** create, start and wait by an ordinary user; the container's output. */
async function runAs(uid: number, gid: number, made: Bundle): Promise<{ output: string; id: string }> {
  const id = freshId()
  const request = requestFor(made, { id, stdio: [-1, 1, 2] })
  const { status, output, errors } = await elsewhere(
    `const request = ${JSON.stringify(request)}
     const { handle } = await engine.create(request)
     await engine.start(request.root, request.id)
     engine.hold(1)
     const exit = await engine.exited(handle)
     await engine.destroy({ root: request.root, id: request.id, force: false })
     engine.unhold(1)
     process.exitCode = exit.exitCode ?? 99`,
    { uid, gid },
  ).end
  if (status !== 0) throw new Error(`status ${String(status)}: ${output}${errors}`)
  return { output, id }
}

test('an ordinary user maps one id without any help', async (t) => {
  const [uid, gid] = [12_345, 12_346]
  const made = bundleOf(t, uid, gid, ['sh', '-c', 'id -u; id -g; cat /proc/self/setgroups'])
  mapUsers(made, [{ containerID: 0, hostID: uid, size: 1 }], [{ containerID: 0, hostID: gid, size: 1 }])
  const { output, id } = await runAs(uid, gid, made)
  t.is(output, '0\n0\ndeny\n')
  t.deepEqual(remains(made.root, id), [])
})

/** The first ordinary user with a range in /etc/subuid and /etc/subgid. */
function userWithRange(): { uid: number; gid: number; first: number; firstGroup: number } | undefined {
  const lines = (path: string): string[][] =>
    existsSync(path)
      ? readFileSync(path, 'utf8')
          .split('\n')
          .map((line) => line.split(':'))
      : []
  for (const [name, first] of lines('/etc/subuid')) {
    const group = lines('/etc/subgid').find(([owner]) => owner === name)
    const user = lines('/etc/passwd').find(([owner]) => owner === name)
    if (first && group?.[1] && user?.[2] && user[3] && user[2] !== '0') {
      return {
        uid: Number(user[2]),
        gid: Number(user[3]),
        first: Number(first),
        firstGroup: Number(group[1]),
      }
    }
  }
  return undefined
}

const user = existsSync('/usr/bin/newuidmap') ? userWithRange() : undefined
if (!user)
  console.log('# SKIP newuidmap: it is missing, or no user has ranges in /etc/subuid and /etc/subgid')
;(user ? test : test.skip)('an ordinary user maps a range by newuidmap', async (t) => {
  if (!user) return
  const { uid, gid, first, firstGroup } = user
  const made = bundleOf(t, uid, gid, ['sh', '-c', 'id -u; cat /proc/self/uid_map'])
  const range = (own: number, others: number): Mapping[] => [
    { containerID: 0, hostID: own, size: 1 },
    { containerID: 1, hostID: others, size: 1000 },
  ]
  mapUsers(made, range(uid, first), range(gid, firstGroup))
  const { output } = await runAs(uid, gid, made)
  t.regex(output, new RegExp(`^0\\n\\s+0\\s+${String(uid)}\\s+1\\n\\s+1\\s+${String(first)}\\s+1000\\n$`))
})

test('an ordinary user without a user namespace gets a hint', async (t) => {
  const [uid, gid] = [12_345, 12_345]
  const made = bundleOf(t, uid, gid, ['true'])
  const request = requestFor(made)
  const { output } = await elsewhere(
    `await engine.create(${JSON.stringify(request)}).catch((error) => console.log(error.code, error.hint))`,
    { uid, gid },
  ).end
  t.regex(output, /^ERR_USERNS_DENIED .*"type": "user"/)
  t.deepEqual(remains(made.root, request.id), [])
})
