/** `--limit`: every verb that reads layers takes it, and refuses an invalid one before it does anything. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { start } from './small-image.ts'
import { asEach } from './user.ts'

/** Arguments before and after the image. */
const verbs: Record<string, { before?: string[]; after?: string[]; made?: string }> = {
  unpack: { after: ['bundle'], made: 'bundle' },
  export: { after: ['--output', 'out.tar'], made: 'out.tar' },
  cat: { after: ['/conf'] },
  diff: { after: ['im:empty'] },
  verify: {},
  squash: { after: ['--tag', 'made'] },
  convert: { after: ['--compress', 'zstd', 'made:a'] },
}

for (const [verb, { after = [], made }] of Object.entries(verbs)) {
  asEach(`${verb} takes --limit`, (t, user) => {
    start(user)
    user.image('new --image im:empty')
    const exists = (): boolean => made !== undefined && existsSync(join(user.folder, made))
    for (const limit of [
      '',
      'entries',
      'entries=',
      'entries=0',
      'entries=-1',
      'entries=1.5',
      'entries=5k',
      'bytes=x',
      'bytes=0',
      'byte=5',
      'bytes=none',
      '=5',
    ]) {
      const { status, stderr } = user.try([verb, '--limit', limit, 'im:a', ...after])
      t.is(status, 1, limit)
      t.regex(stderr, /invalid limit /, limit)
      t.false(exists(), limit)
    }
    const low = user.try([verb, '--limit', 'bytes=10G', '--limit', 'entries=2', 'im:a', ...after])
    t.is(low.status, 1)
    t.regex(low.stderr + low.stdout, /limit of 2 entries .*--limit entries=N/)
    t.false(exists())
    const high = user.try([verb, '--limit', 'entries=1000', '--limit', 'headerBytes=2M', 'im:a', ...after])
    t.is(high.stderr, '')
    t.is(high.status, verb === 'diff' ? 1 : 0)
  })
}

asEach('repack, add-layer, insert and copy read within limits', (t, user) => {
  start(user)
  user.sh('tar -C src -cf l.tar .')
  user.image('unpack --image im:a bundle')
  user.sh('echo more >bundle/rootfs/more')
  for (const words of [
    ['repack', '--image', 'im:b', 'bundle'],
    ['add-layer', '--image', 'im:a', 'l.tar'],
    ['insert', '--image', 'im:a', 'src', '/x'],
    ['copy', 'tar:l.tar', 'copied'],
  ]) {
    const { status, stderr } = user.try([words[0]!, '--limit', 'entries=1', ...words.slice(1)])
    // An archive that is copied verbatim is a blob and is not read.
    t.is(status, words[0] === 'copy' ? 0 : 1, words.join(' '))
    if (words[0] !== 'copy') t.regex(stderr, /--limit entries=N/, words.join(' '))
    t.is(user.try([words[0]!, '--limit', 'entries=x', ...words.slice(1)]).status, 1)
    const raised = user.try([words[0]!, '--limit', 'entries=600', ...words.slice(1)])
    t.is(raised.status, 0, raised.stderr)
  }
})
