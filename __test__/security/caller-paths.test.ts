/**
 * Files at paths that the caller gives, in a directory that others may write to: planted links are not followed.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { COMMAND, Session } from '../cli/session.ts'
import { needs } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'

/** A world-writable directory, and a file of the victim outside it. */
function plant(): { open: string; canary: string } {
  const top = scratch('caller-path')
  const [open, canary] = [scratch('open'), join(top, 'canary')]
  chmodSync(open, 0o777)
  writeFileSync(canary, 'alive')
  return { open, canary }
}

const isAlive = (t: ExecutionContext, canary: string): void =>
  void t.is(readFileSync(canary, 'utf8'), 'alive')

needs(
  'root',
  'cgroup',
  'busybox',
)('--pid-file follows no link, whatever name it has', async (t) => {
  const { open, canary } = plant()
  const file = join(open, 'pid')
  for (const name of ['pid', '.pid', '.pid.tmp', '.pid.new']) symlinkSync(canary, join(open, name))
  const session = new Session('caisson')
  session.configure(['sleep', '60'])
  try {
    const { status, stderr } = await session.exactly([
      '--root',
      session.root,
      'create',
      '--pid-file',
      file,
      session.id,
    ])
    t.is(status, 0, stderr)
    isAlive(t, canary)
    t.true(lstatSync(file).isFile())
    t.is(statSync(file).mode & 0o777, 0o644)
    const state = await session.exactly(['--root', session.root, 'state', session.id])
    t.is(readFileSync(file, 'utf8'), String((JSON.parse(state.stdout) as { pid: number }).pid))
    t.deepEqual(readdirSync(open).sort(), ['.pid', '.pid.new', '.pid.tmp', 'pid'])
  } finally {
    await session.end()
  }
})

test('spec does not write through a link that dangles', (t) => {
  const { open } = plant()
  const target = join(scratch('target'), 'new')
  symlinkSync(target, join(open, 'config.json'))
  const { status, stderr } = spawnSync(process.execPath, [COMMAND, 'spec', '--bundle', open], {
    encoding: 'utf8',
  })
  t.is(status, 1)
  t.regex(stderr, /File config\.json exists\. Remove it first/)
  t.false(existsSync(target))
})
