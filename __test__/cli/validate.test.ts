/** `validate`: the list, the JSON, the exit status. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withUs } from './session.ts'

withUs('validate: a valid bundle and an invalid one', async (session, t) => {
  session.configure(['true'])
  const right = await session.say(['validate', session.bundle])
  t.is(right.status, 0, right.stdout)
  t.regex(right.stdout, /: bundle, valid: 0 errors, \d+ warnings?, 1 file looked at\n$/)
  session.configure(['true'], (spec) => {
    spec.process!.cwd = 'here'
    spec.linux!.namespaces!.push({ type: 'pid' })
  })
  const wrong = await session.say(['validate', session.bundle])
  t.is(wrong.status, 1)
  t.is(wrong.stderr, '')
  t.regex(wrong.stdout, /^config\.json:\d+:\d+: error: process\.cwd: Cwd must be an absolute path$/m)
  t.regex(wrong.stdout, /^config\.json:\d+:\d+: error: linux\.namespaces\[\d\]: a second "pid" namespace$/m)
  t.regex(wrong.stdout, /: bundle, not valid: 2 errors, /)
})

withUs('validate --format json', async (session, t) => {
  session.configure(['true'], (spec) => (spec.process!.cwd = 'here'))
  const { status, stdout } = await session.say(['validate', '--format', 'json', session.bundle])
  const report = JSON.parse(stdout) as { valid: boolean; kind: string; documents: { errors: object[] }[] }
  t.deepEqual([status, report.valid, report.kind], [1, false, 'bundle'])
  t.like(report.documents[0]!.errors[0], {
    path: 'process.cwd',
    found: '"here"',
    allowed: 'an absolute path',
    kind: 'rule',
  })
})

withUs('validate --kind and --lenient', async (session, t) => {
  const file = join(session.directory, 'document')
  writeFileSync(file, '{"schemaVersion":2,"manifests":null}')
  const strict = await session.say(['validate', file])
  t.is(strict.status, 1)
  t.true(
    strict.stdout.startsWith(`${file}:1:32: error: manifests: must be a list, not null\n`),
    strict.stdout,
  )
  t.is((await session.say(['validate', '--lenient', file])).status, 0)
  t.regex((await session.say(['validate', '--kind', 'config', file])).stdout, /error: rootfs: is missing/)
})

withUs('validate: unreadable input is reported on stderr', async (session, t) => {
  const none = await session.say(['validate', join(session.directory, 'none')])
  t.deepEqual([none.status, none.stdout], [1, ''])
  t.regex(none.stderr, /does not exist/)
  const format = await session.say(['validate', '--format', 'xml', session.bundle])
  t.deepEqual([format.status, format.stdout], [1, ''])
  t.regex(format.stderr, /invalid format option/)
})
