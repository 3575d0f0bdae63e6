/**
 * Documents with as many problems, or as long ones, as their size allows. Where the cost grows faster than the
 * document, these tests do not end: the first of them took 118 s with a sixteenth of the size.
 */
import test from 'ava'
import { CaissonError, MAX_ISSUES, SpecError } from '../../ts/errors.ts'
import {
  safeParseImageConfig,
  safeParseImageIndex,
  safeParseImageManifest,
  safeParseRuntimeSpec,
} from '../../ts/spec/index.ts'

const SIZE = 4 << 20

/** As many copies as fill the largest document that is read. */
function filled(before: string, copy: (index: number) => string, after: string): string {
  const length = copy(1_000_000).length + 1
  const count = Math.floor((SIZE - before.length - after.length) / length)
  return `${before}${Array.from({ length: count }, (_, index) => copy(index)).join(',')}${after}`
}

const long = 'x'.repeat(1 << 20)
const nested = `${'{"a":'.repeat(120)}{${'"b":{},'.repeat(1000)}"b":{}}${'}'.repeat(120)}`
const documents: [title: string, parse: typeof safeParseImageIndex, text: string][] = [
  ['an index of empty descriptors', safeParseImageIndex, filled('{"manifests":[', () => '{}', ']}')],
  [
    'an index of descriptors on a line each',
    safeParseImageIndex,
    filled('{"manifests":[', () => '\n{}', ']}'),
  ],
  [
    'an index with digests of a wrong length',
    safeParseImageIndex,
    filled(
      '{"schemaVersion":2,"manifests":[',
      () => '{"mediaType":"a/b","size":1,"digest":"sha256:0"}',
      ']}',
    ),
  ],
  ['a manifest of wrong layers', safeParseImageManifest as never, filled('{"layers":[', () => '0', ']}')],
  ['a manifest of duplicate keys', safeParseImageManifest as never, filled('{"a":0,', () => '"a":\n0', '}')],
  [
    'a manifest of lone surrogates',
    safeParseImageManifest as never,
    filled('{"a":[', () => '"\\ud800"', ']}'),
  ],
  [
    'a manifest with a name of a megabyte above many values',
    safeParseImageManifest as never,
    filled(`{"${long}":[`, () => '{}', ']}'),
  ],
  [
    'a manifest with wrong values below a name of a megabyte',
    safeParseImageManifest as never,
    filled(`{"annotations":{"${long}":0,`, (index) => `"${index}":0`, '}}'),
  ],
  [
    'a manifest of duplicates far down',
    safeParseImageManifest as never,
    filled('{"a":[', () => nested, ']}'),
  ],
  [
    'a manifest with a number of a million digits',
    safeParseImageManifest as never,
    `{"schemaVersion":${'9'.repeat(SIZE - 100)}}`,
  ],
  [
    'a configuration with bad times, which are tolerated',
    safeParseImageConfig as never,
    filled('{"history":[', () => '{"created":""}', ']}'),
  ],
  [
    'a configuration of wrong ports and variables',
    safeParseImageConfig as never,
    filled('{"config":{"ExposedPorts":{', (index) => `"p${index}":0`, '}}}'),
  ],
  [
    'config.json of empty mounts',
    safeParseRuntimeSpec as never,
    filled('{"ociVersion":"1.0.0","mounts":[', () => '{}', ']}'),
  ],
  [
    'config.json of wrong devices',
    safeParseRuntimeSpec as never,
    filled('{"ociVersion":"1.0.0","linux":{"devices":[', () => '{"type":"c","path":"/a"}', ']}}'),
  ],
]

for (const [title, parse, text] of documents) {
  test(`${title} is refused with a bounded message`, (t) => {
    const result = parse(text)
    if (result.success) return t.fail('it was taken')
    const { error } = result
    t.true(error instanceof CaissonError)
    t.true(error.issues.length <= MAX_ISSUES)
    t.true(error.message.length < 32 << 10, `${error.message.length}`)
    t.true(JSON.stringify(error.issues).length < 1 << 20)
    for (const { line, column } of error.issues) t.true(line! >= 1 && column! >= 1)
  })
}

test('warnings are bounded as well', (t) => {
  const text = filled(
    '{"architecture":"a","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{"ExposedPorts":{',
    (index) => `"p${index}":{}`,
    '}}}',
  )
  const result = safeParseImageConfig(text)
  t.true(result.success)
  if (result.success) t.true(result.warnings.length <= MAX_ISSUES + 1)
})

test('the message says how many problems it does not list', (t) => {
  const issues = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ path: `a[${index}]`, message: 'is wrong' }))
  const message = (count: number): string => new SpecError('ERR_INVALID_SPEC', 'x', issues(count)).message
  t.is(message(2), 'x: a[0]: is wrong; a[1]: is wrong')
  t.regex(message(50), /a\[19\]: is wrong; and 30 more problems$/)
  t.regex(message(5000), /a\[19\]: is wrong; and more than 80 more problems$/)
})
