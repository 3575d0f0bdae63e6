/** Lenient reading keeps every byte, and a wrong value is reported at its path. */
import test from 'ava'
import {
  formatJson,
  parseImageConfig,
  parseImageIndex,
  parseImageManifest,
  parseRuntimeSpec,
  rawOf,
  safeParseDescriptor,
  safeParseImageConfig,
  safeParseImageIndex,
  safeParseImageManifest,
  safeParseRuntimeSpec,
  type DocumentInput,
  type ParseOptions,
  type ParseResult,
} from '../../ts/spec/index.ts'
import { formatPath } from '../../ts/spec/json/path.ts'
import { configBase, indexBase, manifestBase, runtimeBase } from './base.ts'
import fc from '../fixtures/property.ts'

type SafeParse = (input: DocumentInput, options?: ParseOptions) => ParseResult<object>
const kinds: [name: string, safeParse: SafeParse, base: () => object][] = [
  ['config.json', safeParseRuntimeSpec, runtimeBase],
  ['index', safeParseImageIndex, indexBase],
  ['manifest', safeParseImageManifest, manifestBase],
  ['configuration', safeParseImageConfig, configBase],
  ['descriptor', safeParseDescriptor, () => manifestBase().layers[0]!],
]

/** Any JSON, numbers as exact as they come. */
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.string({ unit: 'grapheme' }),
    fc
      .bigInt({ min: -(2n ** 70n), max: 2n ** 70n })
      .map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n)),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 5 }), tie('value'), { maxKeys: 3 }),
  ),
})).value

/** The text of a document in any layout. */
const layout = fc.constantFrom<(text: string) => string>(
  (text) => text,
  (text) => `\n  ${text}\n`,
  (text) => formatJson(JSON.parse(text.replace(/\d{16,}/g, '1')), 3).replaceAll('\n', '\r\n'),
)

for (const [name, safeParse, base] of kinds) {
  test(`${name}: unknown properties, order and layout survive; bytes are the same bytes`, (t) => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ unit: 'grapheme', minLength: 1 }).map((key) => `x-${key}`),
          json,
        ),
        layout,
        fc.boolean(),
        (extra, lay, asBytes) => {
          const document = { ...extra, ...base() }
          const text = lay(formatJson(document))
          const bytes = Buffer.from(text)
          const result = safeParse(asBytes ? bytes : text)
          if (!result.success) throw result.error
          t.deepEqual(Buffer.from(result.raw!), bytes)
          t.deepEqual(Buffer.from(rawOf(result.value)!), bytes)
          // Compact text comes back as it was.
          if (text === formatJson(document)) t.is(formatJson(result.value), text)
        },
      ),
      { numRuns: 400 },
    )
  })

  test(`${name}: a wrong value anywhere is reported at its path`, (t) => {
    const places = [...leaves(base())]
    t.true(places.length > 3)
    for (const path of places) {
      const document = base()
      const parent = path.slice(0, -1).reduce<any>((value, key) => value[key], document)
      // No property accepts a list of lists of this.
      parent[path.at(-1)!] = [[{ wrong: true }]]
      const result = safeParse(document)
      const wanted = formatPath(path)
      const told = result.success ? [] : result.error.issues.map((issue) => issue.path)
      t.true(
        told.some((path) => path === wanted || path.startsWith(`${wanted}[`)),
        `${wanted}: ${told.join(', ') || 'taken'}`,
      )
    }
  })

  test(`${name}: no input crashes the parser`, (t) => {
    fc.assert(
      fc.property(json, fc.constantFrom('lenient' as const, 'strict' as const), (value, mode) => {
        const results = [
          safeParse(formatJson(value), { mode, runnable: true }),
          safeParse(Buffer.from(formatJson({ ...base(), ...(value as object) })), { mode }),
        ]
        for (const result of results) if (!result.success) t.true(result.error.issues.length > 0)
      }),
      { numRuns: 1500 },
    )
  })

  test(`${name}: properties of the right names with any value crash nothing`, (t) => {
    const names = [...new Set([...leaves(base())].flat().filter((key) => typeof key === 'string'))]
    const near = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'medium' },
        fc.constantFrom<unknown>(null, 0, -1, 2n ** 64n, '', 'x', '/x', true),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...(names as string[])), tie('value'), { maxKeys: 6 }),
      ),
    })).value
    fc.assert(
      fc.property(near, (value) => {
        for (const mode of ['lenient', 'strict'] as const)
          safeParse({ ...base(), ...(value as object) }, { mode, runnable: true })
      }),
      { numRuns: 3000 },
    )
    t.pass()
  })
}

/** Every value that is neither an object nor a list. */
function* leaves(value: unknown, path: (string | number)[] = []): Generator<(string | number)[]> {
  if (typeof value !== 'object' || value === null) return void (yield path)
  for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) {
    yield* leaves((value as Record<string | number, unknown>)[key], [...path, key])
  }
}

test('what was read stays what was read, also when the value is changed', (t) => {
  const text = JSON.stringify(manifestBase())
  const manifest = parseImageManifest(text)
  manifest.layers = []
  t.is(Buffer.from(rawOf(manifest)!).toString(), text)
  t.is(rawOf(parseImageManifest(manifestBase())), undefined)
  t.is(rawOf({ ...manifest }), undefined)
  const bytes = Buffer.from(JSON.stringify(configBase()))
  t.is(rawOf(parseImageConfig(bytes)), bytes)
})

test('a property named __proto__ is one like any other', (t) => {
  const spec = parseRuntimeSpec(
    '{"ociVersion":"1.3.0","root":{"path":"r"},"annotations":{"__proto__":"x"},"__proto__":{"polluted":true}}',
  )
  t.true(Object.hasOwn(spec, '__proto__'))
  t.is((spec as { polluted?: unknown }).polluted, undefined)
  t.is(({} as { polluted?: unknown }).polluted, undefined)
  const wrong = safeParseRuntimeSpec(
    '{"ociVersion":"1.3.0","root":{"path":"r"},"annotations":{"__proto__":5}}',
  )
  t.deepEqual(wrong.success || wrong.error.issues.map(({ path }) => path), ['annotations.__proto__'])
  // Nulls are taken out of a copy, which must not lose it or follow it.
  const index = parseImageIndex(
    '{"schemaVersion":2,"manifests":[],"annotations":null,"__proto__":{"polluted":true}}',
  )
  t.true(Object.hasOwn(index, '__proto__'))
  t.is((index as { polluted?: unknown }).polluted, undefined)
})

test('seccomp values of 64 bits survive', (t) => {
  const spec = runtimeBase()
  const again = parseRuntimeSpec(formatJson(spec))
  t.is(again.linux?.seccomp?.syscalls?.[0]?.args?.[0]?.value, 18446744073709551615n)
  t.deepEqual(again, spec)
})
