/** Every rule for config.json: its path, message and mode. */
import test from 'ava'
import { safeParseRuntimeSpec, type ParseOptions } from '../../ts/spec/index.ts'
import { runtimeBase, type Change } from './base.ts'
import { errors, notRunnable, strictErrors, warnings } from './runtime-cases.ts'

function issuesOf(change: Change, options: ParseOptions): { errors: string[]; warnings: string[] } {
  const document = runtimeBase()
  change(document)
  const result = safeParseRuntimeSpec(document, options)
  const lines = (issues: readonly { path: string; message: string }[]): string[] =>
    issues.map(({ path, message }) => `${path}: ${message}`)
  return result.success
    ? { errors: [], warnings: lines(result.warnings) }
    : { errors: lines(result.error.issues), warnings: [] }
}

const has = (lines: string[], path: string, words: string): boolean =>
  lines.some((line) => line.startsWith(`${path}: `) && line.includes(words))

test('the base is valid in every mode, without warnings', (t) => {
  for (const options of [
    {},
    { mode: 'strict' },
    { runnable: true },
    { mode: 'strict', runnable: true },
  ] as const) {
    t.deepEqual(
      issuesOf(() => {}, options),
      { errors: [], warnings: [] },
    )
  }
})

for (const [index, [path, words, change]] of errors.entries()) {
  test(`${index} ${path}: ${words}: is an error in both modes`, (t) => {
    for (const mode of ['lenient', 'strict'] as const) {
      const { errors } = issuesOf(change, { mode })
      t.true(has(errors, path, words), errors.join('\n') || 'accepted')
    }
  })
}

for (const [index, [path, words, change]] of strictErrors.entries()) {
  test(`${index} ${path}: ${words}: is an error where it is written, not where it is read`, (t) => {
    const { errors } = issuesOf(change, { mode: 'strict' })
    t.true(has(errors, path, words), errors.join('\n') || 'accepted')
    t.deepEqual(issuesOf(change, { mode: 'lenient' }).errors, [])
  })
}

for (const [index, [path, words, change]] of notRunnable.entries()) {
  test(`${index} ${path}: ${words}: is an error for what is to be run`, (t) => {
    t.true(has(issuesOf(change, { runnable: true }).errors, path, words))
    const { errors, warnings } = issuesOf(change, {})
    t.deepEqual(errors, [])
    t.true(has(warnings, path, words), warnings.join('\n'))
  })
}

for (const [index, [path, words, change]] of warnings.entries()) {
  test(`${index} ${path}: ${words}: is a warning`, (t) => {
    const { errors, warnings } = issuesOf(change, { mode: 'strict', runnable: true })
    t.deepEqual(errors, [])
    t.true(has(warnings, path, words), warnings.join('\n') || 'no warning')
  })
}

test('all problems are listed; none hides another', (t) => {
  const { errors } = issuesOf((c) => {
    c.mounts[0].destination = 5
    c.mounts[1].source = ''
    c.process.cwd = 'x'
    c.process.env = ['A=\0', 7]
    c.linux.namespaces.push({ type: 'pid' }, { type: 'nope' })
    c.linux.resources.memory.limit = 'x'
    c.linux.resources.cpu.burst = 1e9
  }, {})
  const paths = errors.map((line) => line.slice(0, line.indexOf(': '))).sort()
  t.deepEqual(paths, [
    'linux.namespaces[8]',
    'linux.namespaces[9].type',
    'linux.resources.cpu.burst',
    'linux.resources.memory.limit',
    'mounts[0].destination',
    'mounts[1].source',
    'process.cwd',
    'process.env[0]',
    'process.env[1]',
  ])
})

test('rules of Linux are not for other platforms', (t) => {
  for (const section of ['freebsd', 'zos', 'solaris']) {
    const document = { ociVersion: '1.3.0', root: { path: '/jail' }, hostname: 'x', [section]: {} }
    t.true(safeParseRuntimeSpec(document, { mode: 'strict', runnable: true }).success, section)
  }
  t.true(
    safeParseRuntimeSpec({ ociVersion: '1.3.0', windows: { layerFolders: ['C:\\x'] } }, { mode: 'strict' })
      .success,
  )
})
