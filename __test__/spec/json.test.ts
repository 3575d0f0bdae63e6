/** Lossless JSON, compared with the engine's own parser, and where that one loses information. */
import { isUtf8 } from 'node:buffer'
import test from 'ava'
import { formatJson } from '../../ts/spec/json/format.ts'
import { JsonNumber } from '../../ts/spec/json/number.ts'
import { MAX_DEPTH, readJson } from '../../ts/spec/json/read.ts'
import { scan } from '../../ts/spec/json/scan.ts'
import fc from '../fixtures/property.ts'

/** The value, or the one message with its position. */
function read(input: string | Uint8Array, limits = {}): unknown {
  const { value, issues } = readJson(input, limits)
  return issues.length === 0
    ? value
    : issues.map(({ path, message, line, column }) => `${path}@${line}:${column} ${message}`).join('; ')
}

const values: [text: string, value: unknown][] = [
  ['9007199254740991', 9007199254740991],
  ['9007199254740992', 9007199254740992n],
  ['-9007199254740993', -9007199254740993n],
  ['{"a":18446744073709551615}', { a: 18446744073709551615n }],
  ['[1.5,-0.25]', [1.5, -0.25]],
  ['[1.0]', [new JsonNumber('1.0')]],
  ['[1e3]', [new JsonNumber('1e3')]],
  ['[ 1E+3 ]', [new JsonNumber('1E+3')]],
  ['[-0]', [new JsonNumber('-0')]],
  ['1e400', new JsonNumber('1e400')],
  ['0.1000000000000000055511151231257827', new JsonNumber('0.1000000000000000055511151231257827')],
  ['"1.0, 1e3"', '1.0, 1e3'],
  ['"\\ud83d\\ude00"', '😀'],
  [' \t\n\r{ } \n', {}],
]
for (const [text, value] of values) {
  test(`${text} is kept as it is`, (t) => {
    t.deepEqual(read(text), value)
    t.deepEqual(scan(text, MAX_DEPTH).value, value)
  })
}

const refused: [title: string, input: string | Uint8Array, message: string][] = [
  ['a duplicate name', '{"a":1,\n "a":2}', 'a@2:2 duplicate key "a"'],
  ['a duplicate name far down', '{"m":[{"x":1},{"x":2,"x":3}]}', 'm[1].x@1:22 duplicate key "x"'],
  ['a duplicate name written with an escape', '{"a":1,"\\u0061":2}', 'a@1:8 duplicate key "a"'],
  [
    'two duplicate names',
    '{"a":1,"a":2,"b":{"c":1,"c":2}}',
    'a@1:8 duplicate key "a"; b.c@1:25 duplicate key "c"',
  ],
  ['__proto__ twice', '{"__proto__":1,"__proto__":2}', '__proto__@1:16 duplicate key "__proto__"'],
  ['a space before a colon hides no duplicate', '{"a" :1,"a":2}', 'a@1:9 duplicate key "a"'],
  ['a lone surrogate', '{"a":"\\ud800"}', 'a@1:6 holds a lone surrogate, which no UTF-8 text can hold'],
  [
    'a lone surrogate in a name',
    '{"\\udc00":1}',
    '@1:2 holds a lone surrogate, which no UTF-8 text can hold',
  ],
  [
    'a lone surrogate in a JavaScript text',
    '["\ud800"]',
    '[0]@1:2 holds a lone surrogate, which no UTF-8 text can hold',
  ],
  ['a byte order mark', '\ufeff{}', '@1:1 begins with a byte order mark, which JSON does not allow'],
  [
    'a byte order mark in bytes',
    Buffer.from('\ufeff{}'),
    '@1:1 begins with a byte order mark, which JSON does not allow',
  ],
  [
    'invalid UTF-8',
    Buffer.from('{"a":\n"\xff"}', 'latin1'),
    '@2:2 is not valid UTF-8: byte 0xff at offset 7',
  ],
  ['a cut character', Buffer.from([0x22, 0xe2, 0x82]), '@1:2 is not valid UTF-8: byte 0xe2 at offset 1'],
  [
    'an overlong character',
    Buffer.from([0x22, 0xc0, 0x80, 0x22]),
    '@1:2 is not valid UTF-8: byte 0xc0 at offset 1',
  ],
  [
    'a surrogate in UTF-8',
    Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
    '@1:2 is not valid UTF-8: byte 0xed at offset 1',
  ],
  ['nothing', '', '@1:1 is not valid JSON: a value is expected here, not the end of it'],
  [
    'an open object',
    '{"a":1',
    '@1:7 is not valid JSON: a comma or the end of the object is expected here, not the end of it',
  ],
  ['a trailing comma', '[1,]', '[1]@1:4 is not valid JSON: a value is expected here, not "]"'],
  ['a second document', '{} {}', '@1:4 is not valid JSON: the end of the document is expected here, not "{"'],
  ['a comment', '// x\n{}', '@1:1 is not valid JSON: a value is expected here, not "/"'],
  ['a leading zero', '01', '@1:2 is not valid JSON: the end of the document is expected here, not "1"'],
  ['a control character', '"a\nb"', '@1:3 holds the control character "\\n" in a text; it must be escaped'],
  ['an unknown escape', '{"a":"\\x"}', 'a@1:7 holds the unknown escape "\\\\x" in a text'],
  ['an open text', '"a', '@1:3 ends inside a text'],
  [
    'a name without quotes',
    '{a:1}',
    '@1:2 is not valid JSON: a name in double quotes is expected here, not "a"',
  ],
]
for (const [title, input, message] of refused) {
  test(`${title} is refused with its place`, (t) => t.is(read(input), message))
}

test('the cap counts bytes', (t) => {
  t.is(read('"é"', { maxBytes: 4 }), 'é')
  t.is(read('"é"', { maxBytes: 3 }), '@undefined:undefined has 4 bytes; at most 3 are read')
  t.is(read(Buffer.from('"é"'), { maxBytes: 3 }), '@undefined:undefined has 4 bytes; at most 3 are read')
  t.regex(String(read(`"${'x'.repeat(4 << 20)}"`)), /at most 4194304 are read/)
})

test('levels are limited', (t) => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
  t.true(Array.isArray(read(nested(MAX_DEPTH))))
  t.regex(String(read(nested(MAX_DEPTH + 1))), /@1:128 is nested deeper than 127 levels/)
  t.regex(String(read(nested(1_000_000))), /nested deeper than 127 levels/)
  t.regex(String(read('{"a":{"a":{}}}', { maxDepth: 2 })), /^a\.a@1:11 is nested deeper than 2 levels$/)
})

test('__proto__ is a name like any other and touches no prototype', (t) => {
  for (const text of ['{"__proto__":{"admin":true}}', '{"__proto__":{"admin":true},"n":1.0}']) {
    const value = read(text) as { admin?: boolean }
    t.true(Object.hasOwn(value, '__proto__'))
    t.is(value.admin, undefined)
    t.is(formatJson(value), text)
  }
})

test('numbers are written as they were read', (t) => {
  const text = '{"a":18446744073709551615,"b":[1.0,-0],"c":{"d":[]},"e":"\ufdd01"}'
  t.is(formatJson(read(text)), text)
  t.is(formatJson({ a: 1n, b: undefined, c: [undefined], d: {}, e: [] }), '{"a":1,"c":[null],"d":{},"e":[]}')
  t.is(formatJson({ a: [1n, { b: 2n }] }, 2), JSON.stringify({ a: [1, { b: 2 }] }, null, 2))
  t.throws(() => JSON.stringify(new JsonNumber('1.0')), { message: /formatJson/ })
  const own: Record<string, unknown> = { n: 1n }
  own['own'] = own
  t.throws(() => formatJson(own), { instanceOf: TypeError })
})

test('scanner and engine read the same from every valid text', (t) => {
  fc.assert(
    fc.property(fc.json({ depthSize: 'medium' }), (text) => {
      const scanned = scan(text, 1000)
      t.deepEqual(scanned.issues, [])
      t.deepEqual(JSON.parse(formatJson(scanned.value)), JSON.parse(text))
    }),
    { numRuns: 2000 },
  )
  t.pass()
})

test('the scanner refuses exactly the texts that the engine refuses', (t) => {
  const tokens = fc.constantFrom(
    ...'{}[],:"\\ \n0-1.eE+'.split(''),
    '"a"',
    'true',
    'null',
    '"b":',
    '\\u00',
    '12',
    '"\\n"',
  )
  fc.assert(
    fc.property(fc.array(tokens, { maxLength: 12 }), (parts) => {
      const text = parts.join('')
      let valid = true
      try {
        JSON.parse(text)
      } catch {
        valid = false
      }
      const fatal = scan(text, 1000).value === undefined
      t.is(!fatal, valid, text)
    }),
    { numRuns: 20_000 },
  )
})

test('bytes never crash the reader and never pass as something else', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const { issues } = readJson(bytes)
      if (!isUtf8(bytes)) t.true(issues.length > 0)
    }),
    { numRuns: 5000 },
  )
})

test('a duplicate key is found anywhere', (t) => {
  const name = fc.string({ unit: 'grapheme', maxLength: 4 })
  fc.assert(
    fc.property(
      fc.uniqueArray(name, { minLength: 1, maxLength: 8 }),
      fc.nat(),
      fc.nat(),
      (names, from, to) => {
        const members = names.map((name) => `${JSON.stringify(name)} : ":\\":"`)
        const text = `{${members.join(',')}}`
        t.deepEqual(readJson(text).issues, [])
        members.splice(to % (members.length + 1), 0, members[from % members.length]!)
        t.is(readJson(`{${members.join(',')}}`).issues.length, 1)
      },
    ),
    { numRuns: 2000 },
  )
})
