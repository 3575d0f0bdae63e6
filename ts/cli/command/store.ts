import type { Store } from '../../index.ts'
import { on, text, type Command, type Invocation } from '../command.ts'
import { limitFlag, limitsOf } from '../image/limits.ts'
import { print } from '../output.ts'
import { UsageError } from '../usage-error.ts'

export const store: Command = {
  name: 'store',
  usage: 'look after the store of layers',
  argsUsage: 'ls|gc|verify|repair|rm [name...]',
  description: `ls: images and snapshots. gc: removes what no image refers to and no container uses. verify: compares everything with
what was recorded; the exit status is 1 where something is damaged. repair: removes what is damaged, and makes it again where the
content is there. rm: takes images out, by name or digest; gc removes what only they referred to.`,
  flags: [
    {
      name: 'store',
      type: 'text',
      usage: 'directory of the store (default: $CAISSON_STORE, or the usual place)',
    },
    { name: 'format', aliases: ['f'], type: 'text', usage: 'text or json', default: 'text' },
    { name: 'unused-for', type: 'number', usage: 'gc: keep what was used within so many seconds' },
    { ...limitFlag, usage: `repair: ${limitFlag.usage}` },
    { name: 'no-contents', type: 'switch', usage: 'verify, repair: do not read the bytes of files' },
    { name: 'quiet', aliases: ['q'], type: 'switch', usage: 'ls: display only names and chainIDs' },
  ],
  min: 1,
  max: 1000,
  run: async (invocation) => {
    const [name, ...names] = invocation.args as [string, ...string[]]
    const verb = verbs[name]
    if (!verb) throw new UsageError(`unknown subcommand ${JSON.stringify(name)} of store`)
    if (name === 'rm' ? names.length === 0 : names.length > 0) {
      throw new UsageError(`store ${name} takes ${name === 'rm' ? 'at least one name' : 'no arguments'}`)
    }
    const format = text(invocation.flags, 'format') ?? 'text'
    if (format !== 'text' && format !== 'json') throw new UsageError('invalid format option', false)
    const { Store } = await import('../../index.ts')
    const {
      result,
      lines,
      status = 0,
    } = await verb(new Store({ root: text(invocation.flags, 'store') }), invocation, names)
    print(format === 'json' ? `${JSON.stringify(result)}\n` : lines.map((line) => `${line}\n`).join(''))
    return status
  },
}

interface Answer {
  result: unknown
  lines: string[]
  status?: number
}

type Verb = (store: Store, invocation: Invocation, names: string[]) => Promise<Answer>

const verbs: Readonly<Record<string, Verb>> = {
  async ls(store, { flags }) {
    const result = await store.list()
    const quiet = on(flags, 'quiet')
    const lines = [
      ...result.images.map(({ name, digest }) =>
        quiet ? (name ?? digest) : `image     ${name ?? '-'}  ${digest}`,
      ),
      ...result.snapshots.map(({ chainId, bytes, entries, inUse }) =>
        quiet
          ? chainId
          : `snapshot  ${chainId}  ${bytes} bytes  ${entries} entries${inUse ? '  in use' : ''}`,
      ),
    ]
    return { result, lines }
  },

  async gc(store, { flags }) {
    const seconds = flags.get('unused-for')
    const result = await store.gc({ unusedFor: typeof seconds === 'number' ? seconds * 1000 : 0 })
    const removed = [...result.snapshots, ...result.blobs].map((id) => `removed ${id}`)
    return { result, lines: [...removed, `${result.bytes} bytes`] }
  },

  async verify(store, { flags }) {
    const result = await store.verify({ contents: !on(flags, 'no-contents') })
    const lines = [
      ...result.damaged.map(({ kind, id, reason }) => `${kind} ${id}: ${reason}`),
      ...result.missing.map((digest) => `blob ${digest}: missing`),
      `${result.snapshots} snapshots and ${result.blobs} blobs, ${result.damaged.length} damaged`,
    ]
    return { result, lines, status: result.sound ? 0 : 1 }
  },

  async repair(store, { flags }) {
    const result = await store.repair({ contents: !on(flags, 'no-contents'), limits: limitsOf(flags) })
    const lines = [
      ...result.removed.map(({ kind, id, reason }) => `removed ${kind} ${id}: ${reason}`),
      ...result.restored.map((id) => `restored snapshot ${id}`),
      ...result.inUse.map(({ id, reason }) => `in use and left: snapshot ${id}: ${reason}`),
    ]
    return { result, lines, status: result.inUse.length > 0 ? 1 : 0 }
  },

  async rm(store, _, names) {
    for (const name of names) await store.remove(name)
    return { result: names, lines: [] }
  },
}
