/** Programs of a user who has a store of its own: an ordinary one with subordinate ids, or root. */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type TestFn } from 'ava'
import { missing } from '../fixtures/needs.ts'
import { checkout, nextLine, program } from '../fixtures/program.ts'
import { scratch } from '../fixtures/rootfs.ts'

const NAME = 'caisson-test' // with subordinate ids: scripts/install-test-tools
const line = readFileSync('/etc/passwd', 'utf8')
  .split('\n')
  .find((each) => each.startsWith(`${NAME}:`))
/** Of that user. */
export const ids: { uid: number; gid: number } | undefined = line
  ? { uid: Number(line.split(':')[2]), gid: Number(line.split(':')[3]) }
  : undefined

/** Of that user: everything, first id, how many. */
export const ranges: RegExpExecArray | null = /^caisson-test:(\d+):(\d+)/m.exec(
  readFileSync('/etc/subuid', 'utf8'),
)

function obstacle(): string | undefined {
  const reason = missing('root', 'userns', 'busybox')
  if (reason) return reason
  if (!ids || !ranges) return `there is no user ${NAME} with subordinate ids (scripts/install-test-tools)`
  const readable = spawnSync('sh', ['-c', `test -r ${checkout}/package.json`], ids).status === 0
  return readable ? undefined : 'the checkout cannot be read by an ordinary user'
}

const reason = obstacle()
if (reason) console.error(`skipped: rootless store: ${reason}`)

/** `test`, or a counted skip. */
export const rootless: TestFn | TestFn['skip'] = reason ? test.skip : test

/** Runs a program as that user, or as `root`; its one line of JSON. It has `store`, `runtime`, `warnings`. */
export async function answer(
  body: string,
  { as = 'ordinary', under = [] }: { as?: 'ordinary' | 'root'; under?: readonly string[] } = {},
): Promise<unknown> {
  const folder = scratch('store-user')
  const who = as === 'root' ? {} : ids!
  mkdirSync(join(folder, 'run'))
  for (const path of [folder, join(folder, 'run')]) {
    if (as === 'ordinary') chownSync(path, ids!.uid, ids!.gid)
    chmodSync(path, 0o755)
  }
  const source = `
import { Image, Runtime, Store } from 'caisson'
const warnings: string[] = []
const warn = (message: string): void => void warnings.push(message)
const store = new Store({ ${as === 'root' ? `root: ${JSON.stringify(join(folder, 'store'))}, ` : ''}durability: 'none' })
const runtime = new Runtime({ ${as === 'root' ? `root: ${JSON.stringify(join(folder, 'run'))}, ` : ''}store, onWarning: warn })
${body}
`
  const env = {
    XDG_RUNTIME_DIR: join(folder, 'run'),
    XDG_DATA_HOME: join(folder, 'data'),
    CAISSON_STORE: '',
    TMPDIR: folder,
    HOME: folder,
  }
  const running = program(source, { ...who, env, under })
  const text = await nextLine(running)
  const { code, stderr } = await running.ended
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(text)
}
