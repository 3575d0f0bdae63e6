/** Output of hooks and programs, and names, in errors and warnings: a terminal obeys control characters. */
import { join } from 'node:path'
import test from 'ava'
import { CaissonError, Runtime } from '../../ts/index.ts'
import type { RuntimeSpec } from '../../ts/spec/index.ts'
import { visible, visibleLine } from '../../ts/visible.ts'
import { bundle } from '../fixtures/bundle.ts'
import { needs } from '../fixtures/needs.ts'
import { scratch } from '../fixtures/rootfs.ts'

const privileged = needs('root')
const root = join(scratch('state'), 'root')
const warnings: string[] = []
const runtime = new Runtime({ root, onWarning: (message) => warnings.push(message) })
let serial = 0

/** A clear screen, a title, C1's CSI, a line of its own. */
const EVIL = String.raw`\033[2J\033]0;title\007\302\2332J\ncaisson: all is well\r`
// eslint-disable-next-line no-control-regex
const RAW = /[\u0000-\u001f\u007f-\u009f]/
const said = { path: '/bin/sh', args: ['sh', '-c', `printf '${EVIL}' >&2; exit 3`] }

const withHooks = (hooks: NonNullable<RuntimeSpec['hooks']>): string =>
  bundle({ edit: (spec) => void (spec.hooks = hooks) })

for (const kind of ['createRuntime', 'poststart'] as const) {
  privileged(`a ${kind} hook writes no control character into an error`, async (t) => {
    const error = await t.throwsAsync<CaissonError>(
      (async () => {
        const path = withHooks({ [kind]: [said] })
        await runtime.run({ bundle: path })
      })(),
      { code: 'ERR_HOOK' },
    )
    t.notRegex(error!.message, RAW)
    t.regex(error!.message, /stderr: \\u001b\[2J\\u001b\]0;title\\u0007\\u009b2J\\ncaisson: all is well$/)
    t.notRegex(error!.stack!.split('\n    at ')[0]!, RAW)
  })
}

privileged('a poststop hook writes no control character into a warning', async (t) => {
  await runtime.run({ bundle: withHooks({ poststop: [said] }) })
  t.is(warnings.length, 1)
  t.notRegex(warnings[0]!, RAW)
  t.regex(warnings[0]!, /\\u001b\[2J.*\\ncaisson: all is well/)
})

privileged('nor does process.emitWarning get one', async (t) => {
  const emitted: Error[] = []
  const listen = (warning: Error): unknown => emitted.push(warning)
  process.on('warning', listen)
  const path = withHooks({ poststop: [said] })
  await new Runtime({ root }).run({ bundle: path }, undefined, { id: `evil-${process.pid}-${serial++}` })
  await new Promise(setImmediate)
  process.off('warning', listen)
  const ours = emitted.filter(({ name }) => name === 'CaissonWarning')
  t.is(ours.length, 1)
  t.notRegex(ours[0]!.message, RAW)
})

needs(process.geteuid?.() === 0 ? 'root' : 'userns')(
  'a program and its output are shown without control characters',
  async (t) => {
    const path = bundle()
    for (const args of [
      ['\u001b[2Jno-such-program'],
      ['sh', '-c', `printf '${EVIL}\nlast \\033[2J' >&2; exit 3`],
      ['/bin/\u009b2J\nfile'],
    ]) {
      const error = await t.throwsAsync(
        runtime.run({ bundle: path }, args).then(() => {}),
        {
          instanceOf: CaissonError,
        },
      )
      t.notRegex(error!.message, RAW, args.join(' '))
    }
  },
)

test('what is escaped stays the same JSON value', (t) => {
  const text = '\u001b[2J\u009b\u202e\u2028ü\t\n"'
  t.is(JSON.parse(visible(JSON.stringify(text))), text)
  t.is(visible('a\tb\nc\rd\u2028'), 'a\tb\nc\\u000dd\\u2028')
  t.is(visibleLine('a\tb\nc'), 'a\tb\\nc')
})
