import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Runtime } from '../../ts/index.ts'
import { needs } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'

const runtime = new Runtime({ root: join(scratch('state'), 'run'), store: join(scratch('store'), 'store') })
const privileged = needs('root')
const sh = async (line: string): Promise<string> =>
  (await runtime.run('host', ['sh', '-c', line], { reject: false })).stdout

privileged("the host's programs run, and see nothing else of the host", async (t) => {
  const top = (await sh('ls -a /')).split('\n').filter((name) => !/^\.{0,2}$/.test(name))
  const known = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'usr', 'dev', 'proc', 'sys', 'etc']
  t.deepEqual(
    top.filter((name) => ![...known, 'tmp', 'run', 'var', 'root', 'home'].includes(name)),
    [],
  )
  t.is(await sh('ls -A /root /home /run /tmp /var/tmp'), '/home:\n\n/root:\n\n/run:\n\n/tmp:\n\n/var/tmp:\n')
  t.is(await sh('ls -A /var'), 'tmp\n')
  t.is(await sh('cat /etc/shadow /etc/gshadow /etc/sudoers; ls -A /etc/ssh /etc/ssl/private'), '')
  t.false((await sh('cat /etc/passwd')).includes('caisson-test'))
  t.is(await sh('echo $HOME; cd; pwd; id -u'), '/root\n/root\n0\n')
})

privileged('every file in /etc is one that every user of the host may read', async (t) => {
  const files = (await sh('find /etc -type f')).trim().split('\n')
  t.true(files.length > 4)
  for (const path of files) {
    const made = ['/etc/passwd', '/etc/group', '/etc/hosts', '/etc/nsswitch.conf'].includes(path)
    if (!made && existsSync(path)) t.true((statSync(path).mode & 0o004) !== 0, path)
  }
})

privileged('files that only their owner may read are hidden everywhere', async (t) => {
  // In a separate mount namespace the host's files can be changed.
  const source = `
    import { mkdirSync, writeFileSync } from 'node:fs'
    import { Runtime } from ${JSON.stringify(import.meta.resolve('../../ts/index.ts'))}
    for (const top of ['/usr/local/etc', '/etc/ssl/certs']) {
      writeFileSync(top + '/open', 'public ')
      writeFileSync(top + '/closed.key', 'canary', { mode: 0o600 })
      mkdirSync(top + '/folder', { mode: 0o700 })
      writeFileSync(top + '/folder/inside', 'canary')
    }
    const runtime = new Runtime({ root: ${JSON.stringify(join(scratch('private'), 'run'))} })
    const line = 'for d in /usr/local/etc /etc/ssl/certs; do cat $d/open $d/closed.key $d/folder/inside; done'
    console.log((await runtime.run('host', ['sh', '-c', line], { reject: false })).stdout)`
  const script =
    'for d in /usr/local/etc /etc/ssl/certs; do mkdir -p $d; mount -t tmpfs tmpfs $d; done; exec "$@"'
  const { stdout, stderr } = spawnSync(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', process.execPath].concat(
      ...process.execArgv,
      '--input-type=module',
      '--eval',
      source,
    ),
    { encoding: 'utf8' },
  )
  t.is(stdout, 'public public \n', stderr)
})

privileged('nothing of the host can be written', async (t) => {
  const canary = `caisson-canary-${process.pid}`
  for (const folder of ['/', '/usr', '/usr/bin', '/usr/lib', '/etc', '/etc/alternatives', '/etc/ssl/certs']) {
    t.is(await sh(`touch ${folder}/${canary} && echo written`), '', folder)
    t.false(existsSync(join(folder, canary)))
  }
  const flags = (await sh('cat /proc/self/mountinfo'))
    .split('\n')
    .filter((line) => / \/(usr|etc)(\/\S*)? /.test(line.split(' - ')[0]!))
  t.true(flags.length > 0)
  for (const line of flags) t.regex(line.split(' ')[5]!, /^ro,.*nosuid.*nodev/, line)
  t.is(await sh('mount -o remount,rw,bind /usr && echo done'), '')
  t.is(
    await sh('for d in /tmp /run /root /home /var/tmp; do echo x > $d/f && cat $d/f; done'),
    'x\n'.repeat(5),
  )
})

test('a program is required', async (t) => {
  await t.throwsAsync(async () => void (await runtime.run('host')), { code: 'ERR_INVALID_OPTION' })
})

test.after.always('nothing is left of the directories that were made', (t) => {
  t.deepEqual(existsSync(runtime.root) ? readdirSync(join(runtime.root, '.bundles')) : [], [])
})
