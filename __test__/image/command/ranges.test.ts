/** Repacked bundles of an ordinary user with ranges of ids: files of those ids are closed to the user. */
import { chmodSync, chownSync, existsSync, lstatSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ids, ranges, rootless } from '../../store/user.ts'
import { start } from './small-image.ts'
import { User } from './user.ts'

/** Maps of a container in which the caller is id 0 and the others come from the range. */
function maps(): string {
  const [first, size] = [ranges![1], ranges![2]]
  return ['uid', 'gid']
    .map((kind) => `--${kind}-map 0:${ids![kind as 'uid']}:1 --${kind}-map 1:${first}:${size}`)
    .join(' ')
}

/** A bundle `b` of `im:a` with a directory and a file that are closed to everybody but web. */
function bundle(): User {
  const user = new User('ordinary', ids!)
  start(user)
  user.sh('mkdir closed; echo secret >closed/file; chmod 600 closed/file; chmod 700 closed')
  user.image('insert --image im:a closed /closed --uid-map 33:' + `${ids!.uid} --gid-map 44:${ids!.gid}`)
  user.image(`unpack --image im:a ${maps()} b`)
  return user
}

const host = (id: number): number => Number(ranges![1]) + id - 1

function listing(user: User, tag: string): string[] {
  const { manifest } = user.json<{ manifest: { layers: { digest: string }[] } }>(`inspect --image im:${tag}`)
  const blob = `im/blobs/sha256/${manifest.layers.at(-1)!.digest.slice(7)}`
  const lines = user.sh(`tar --numeric-owner -tvf ${blob}`).split('\n').filter(Boolean)
  return lines.map((each) => each.replace(/ +\d+ \S+ \S+ /, ' '))
}

rootless('a bundle with owners of a range is packed again', (t) => {
  const user = bundle()
  const closed = join(user.folder, 'b/rootfs/closed')
  t.is(lstatSync(closed).uid, host(33))
  t.regex(user.image('repack --image im:same b') + user.image('ls im'), /same/)
  const layers = (tag: string): number =>
    user.json<{ manifest: { layers: unknown[] } }>(`inspect --image im:${tag}`).manifest.layers.length
  t.is(layers('same'), layers('a')) // closed files were read, and are the same
  for (const name of ['new', 'file']) {
    const path = join(closed, name)
    writeFileSync(path, `changed`)
    chownSync(path, host(5), host(6))
    chmodSync(path, 0o600)
  }
  utimesSync(closed, 1, 1) // changed in any case: whole seconds are compared
  user.image('repack --image im:changed --compress none b')
  t.deepEqual(listing(user, 'changed'), [
    'drwx------ 33/44 closed/',
    '-rw------- 5/6 closed/file',
    '-rw------- 5/6 closed/new',
  ])
  user.image(`insert --image im:a --tag inserted --compress none ${maps()} b/rootfs/closed /copy`)
  t.deepEqual(listing(user, 'inserted'), [
    'drwx------ 33/44 copy/',
    '-rw------- 5/6 copy/file',
    '-rw------- 5/6 copy/new',
  ])
})

rootless('without maps, or without who writes them, it says which file is closed and what to do', (t) => {
  const user = bundle()
  const unmapped = user.try('insert --image im:a --tag x b/rootfs /copy')
  t.is(unmapped.status, 1)
  t.regex(unmapped.stderr, /closed.*(EACCES|EPERM).*--uid-map, --gid-map/)
  const repack = ['repack', '--image', 'im:x', 'b']
  const alone = user.try(repack, { PATH: '/nonexistent' })
  t.is(alone.status, 1)
  t.regex(alone.stderr, /closed belongs to another id: newgidmap cannot be run/)
  t.false(user.image('ls im').includes('x'))
  t.is(user.sh('find im/blobs -name ".caisson-*"'), '')
  t.true(existsSync(join(user.folder, 'b/rootfs/closed')))
})
