/**
 * Rights are found by capability: root may lack CAP_SYS_ADMIN, an ordinary user may have it, and root of a user
 * namespace has it for that namespace only.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { processRights } from '../../ts/native/rights.ts'
import { missing, needs, skipped } from '../fixtures/needs.ts'
import { checkout, nextLine, program } from '../fixtures/program.ts'
import { makeRootfs, scratch } from '../fixtures/rootfs.ts'

const UID = 65534
const isRoot = missing('root') === undefined
const readable =
  isRoot && spawnSync('sh', ['-c', `test -r ${checkout}/package.json`], { uid: UID, gid: UID }).status === 0

/** What a program under `prefix` may do, and the id map that its container has. */
const source = (rootfs: string): string => `
import { run } from 'caisson'
import { processRights } from '${join(checkout, 'ts/native/rights.ts')}'
console.log(JSON.stringify(processRights()))
const line = 'cat /proc/self/uid_map; id -u; test -c /dev/null && echo device'
const { stdout } = await run({ rootfs: ${JSON.stringify(rootfs)} }, ['sh', '-c', line])
console.log(stdout.trim().split(/\\s+/).join(' '))
`

async function ask(under: string[]): Promise<[unknown, string]> {
  const folder = scratch('rights')
  makeRootfs(join(folder, 'rootfs'))
  mkdirSync(join(folder, 'run'))
  for (const path of [folder, join(folder, 'run')]) {
    if (under.includes(`--reuid=${UID}`)) chownSync(path, UID, UID)
    chmodSync(path, 0o755)
  }
  const env = { XDG_RUNTIME_DIR: join(folder, 'run'), TMPDIR: folder, HOME: folder }
  const running = program(source(join(folder, 'rootfs')), { under, env })
  const answer: [unknown, string] = [JSON.parse(await nextLine(running)), await nextLine(running)]
  await running.ended
  return answer
}

needs(
  'root',
  'userns',
  'busybox',
)('root without CAP_SYS_ADMIN gets a user namespace and gives files away', async (t) => {
  const [rights, container] = await ask(['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin'])
  t.deepEqual(rights, {
    inUserNamespace: processRights().inUserNamespace,
    needsUserNamespace: true,
    administersHost: false,
    changesOwners: true,
  })
  t.is(container, '0 0 1 0 device')
})

const another = readable ? needs('root', 'busybox') : skipped('another user cannot read the checkout')

another('an ordinary user with ambient capabilities needs no user namespace', async (t) => {
  const names = 'sys_admin,net_admin,setuid,setgid,setpcap,sys_chroot,chown,fowner,dac_override,mknod,kill'
  const added = names.replaceAll(/\w+/g, '+$&')
  const [rights, container] = await ask([
    'setpriv',
    `--reuid=${UID}`,
    `--regid=${UID}`,
    '--clear-groups',
    `--inh-caps=${added}`,
    `--ambient-caps=${added}`,
  ])
  const { inUserNamespace } = processRights()
  t.deepEqual(rights, {
    inUserNamespace,
    needsUserNamespace: false,
    administersHost: !inUserNamespace,
    changesOwners: true,
  })
  t.is(container, '0 0 4294967295 0 device')
})

another('an ordinary user with CAP_SYS_ADMIN alone needs one still', async (t) => {
  const [rights, container] = await ask([
    'setpriv',
    `--reuid=${UID}`,
    `--regid=${UID}`,
    '--clear-groups',
    '--inh-caps=+sys_admin',
    '--ambient-caps=+sys_admin',
  ])
  const { needsUserNamespace, changesOwners } = rights as ReturnType<typeof processRights>
  t.deepEqual([needsUserNamespace, changesOwners], [true, false])
  t.is(container, `0 ${UID} 1 0 device`)
})

needs('userns', 'busybox')('root of a user namespace has nothing of the host', async (t) => {
  const [rights, container] = await ask(['unshare', '--user', '--map-root-user'])
  t.deepEqual(rights, {
    inUserNamespace: true,
    needsUserNamespace: true, // its only id is 0
    administersHost: false,
    changesOwners: true,
  })
  t.regex(container, /^0 \d+ 1 0 device$/)
})
