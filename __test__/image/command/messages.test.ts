/** Error messages of the command, and their hints. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { start } from './small-image.ts'
import { asEach, type User } from './user.ts'

/** The text of the one line of the log. */
function said(user: User, ...args: string[]): string {
  const { stderr } = user.try(args)
  return JSON.parse(/ msg=(".*")\n$/.exec(stderr)![1]!) as string
}

asEach('a failure is reported once, with its hint', (t, user) => {
  start(user)
  mkdirSync(join(user.folder, 'full'))
  writeFileSync(join(user.folder, 'full/file'), '')
  user.image('copy im:a oci-archive:a.tar')
  t.is(said(user, 'cat', 'im:a', '/nosuch'), '/nosuch is not in the image')
  t.is(
    said(user, 'unpack', '--image', 'im:a', 'full'),
    `${user.folder}/full exists and is not an empty directory (remove it first, or unpack to another place)`,
  )
  t.is(
    said(user, 'insert', '--image', 'im:a', '/nosuch', '/x'),
    'lstat("/nosuch"): ENOENT (No such file or directory)',
  )
  t.is(said(user, 'frob'), 'unknown subcommand "frob" of image (see caisson image --help)')
  t.regex(said(user, 'copy', 'im:a', 'oci-archive:a.tar'), /a\.tar exists already \(.*--overwrite.*\)$/)
})

asEach('storage of other tools is named, as a source and as a target', (t, user) => {
  start(user)
  t.is(
    said(user, 'copy', 'docker://busybox', 'back:b'),
    'image reference "docker://busybox": its transport "docker" is not supported, as there are no registries here ' +
      '(skopeo copy docker://busybox oci:DIRECTORY:TAG makes a layout of it)',
  )
  t.regex(
    said(user, 'inspect', 'containers-storage:x'),
    /its transport "containers-storage" is not supported/,
  )
  t.regex(said(user, 'copy', 'im:a', 'docker-daemon:x:y'), /its transport "docker-daemon" is not supported/)
  // A layout may have that name.
  user.image('copy im:a docker:a')
  t.is(user.image('ls docker'), 'a\n')
})

asEach('an image for another platform is looked at and changed, and not unpacked by itself', (t, user) => {
  start(user)
  user.image('config --image im:a --platform.os lnx --platform.arch amd64')
  user.image('config --image im:a --author me')
  user.image('insert --image im:a src/three /three')
  const { config } = user.json<{ config: { os: string; author: string } }>('inspect --image im:a')
  t.deepEqual([config.os, config.author], ['lnx', 'me'])
  t.is(user.image('cat im:a /three'), 'three\n')
  user.image('squash --image im:a')
  t.regex(said(user, 'unpack', '--image', 'im:a', 'b'), /it has lnx\/amd64 \(.*--platform lnx\/amd64\)$/)
  t.regex(
    said(user, 'inspect', '--image', 'im:a', '--platform', 'linux/amd64'),
    /has no image for linux\/amd64/,
  )
})

asEach('--image is the first of several images, too', (t, user) => {
  start(user)
  user.image('copy --image im:a two:b')
  user.image('convert --image im:a two:c')
  t.is(user.image('ls two'), 'b\nc\n')
  t.is(user.image('diff --image im:a two:b'), '')
  t.regex(user.try('diff im:a').stderr, /2 images are needed, not 1/)
  t.regex(user.try('diff --image im:a im:a im:a').stderr, /2 images are needed, not 3/)
})

asEach('a copy without a name says so', (t, user) => {
  start(user)
  const { stdout, stderr } = user.try('copy im:a oci-archive:a.tar')
  t.is(stderr, '')
  const copied = user.try('copy oci-archive:a.tar back')
  t.is(copied.stdout, stdout)
  t.regex(
    copied.stderr,
    /level=warning msg="sha256:[0-9a-f]{64} is copied without a tag: only its digest leads to it"/,
  )
  t.is(user.image('ls back'), '')
})

asEach('from-host makes an image of programs of this host', (t, user) => {
  const digest = user.image('from-host --image own:sh --program sh --program cat')
  t.is(user.image('ls own'), 'sh\n')
  const { descriptor, config } = user.json<{
    descriptor: object
    config: { history: { created_by: string }[] }
  }>('inspect --image own:sh')
  t.like(descriptor, { digest: digest.trim() })
  t.is(config.history[0]!.created_by, 'caisson from host: sh cat')
  t.regex(said(user, 'from-host', 'own:none', '--program', 'no-such-program'), /no-such-program/)
  t.is(user.image('ls own'), 'sh\n')
})
