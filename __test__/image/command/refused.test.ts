/** `caisson image` with invalid arguments: an error that names them, status 1, and nothing made. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asEach } from './user.ts'

asEach('invalid arguments are refused by name', (t, user) => {
  user.image('new --image images:a')
  writeFileSync(join(user.folder, 'file'), 'content\n')
  user.image('insert --image images:a file /etc/file')
  const before = readdirSync(user.folder)
  const blobs = readdirSync(join(user.folder, 'images/blobs/sha256'))
  for (const [args, why] of [
    ['init --layout ', 'a layout is needed'],
    ['ls --layout ', 'a layout is needed'],
    ['inspect --image ', 'an image is needed'],
    ['unpack images:a ', '<bundle> is empty'],
    ['repack images:b ', '<bundle> is empty'],
    ['export images:a --output ', '--output must name a file'],
    ['cat images:a /nothing', '/nothing is not in the image'],
    ['export images:a --path /nothing', 'nothing is not in the image'],
    ['insert images:a file /', 'the root of an image can only be a directory'],
    ['convert images:a images:b --level 3', 'level needs compression'],
    ['convert images:a images:b --compress none --level 3', 'level is for gzip and zstd'],
    [`convert images:a images@sha256:${'a'.repeat(64)}`, 'a new image has a digest of its own'],
    [`repack --image images@sha256:${'a'.repeat(64)} file`, 'a new image has a digest of its own'],
    ['config images:a --created 2026-02-31T00:00:00Z', 'expected RFC 3339'],
    ['squash images:a --history.created 2026-01-31T24:00:00Z', 'expected RFC 3339'],
  ] as const) {
    const { status, stdout, stderr } = user.try(args)
    t.is(status, 1, args)
    t.true(stderr.includes(why), `${args}: ${stderr}`)
    t.true(stdout === '' || stdout.startsWith('Incorrect Usage'), stdout)
  }
  t.deepEqual(readdirSync(user.folder), before)
  t.deepEqual(readdirSync(join(user.folder, 'images/blobs/sha256')), blobs)
})

asEach('a path that is not UTF-8 is refused, not changed', (t, user) => {
  user.image('new --image images:a')
  const script = `exec "$0" "$1" image unpack images:a "$(printf 'b\\377')"`
  const { status, stderr } = user.run('sh', ['-c', script, process.execPath, user.command])
  t.is(status, 1)
  t.regex(stderr, /an argument is not UTF-8/)
  t.deepEqual(readdirSync(user.folder), ['images'])
  // The replacement character itself is an ordinary one.
  user.image('unpack images:a b\uFFFD')
  t.deepEqual(readdirSync(user.folder).sort(), ['b\uFFFD', 'images'])
})
