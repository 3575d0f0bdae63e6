/** Platforms: names, aliases, variants, and which runs where. */
import test from 'ava'
import {
  formatPlatform,
  hostPlatform,
  matchesPlatform,
  normalizePlatform,
  parsePlatform,
  platformRank,
} from '../../ts/spec/index.ts'
import fc from '../fixtures/property.ts'

const of = (text: string) => parsePlatform(text)!

const normal: [given: string, wanted: string][] = [
  ['linux/amd64', 'linux/amd64/v1'],
  ['linux/x86_64', 'linux/amd64/v1'],
  ['linux/x86-64/2', 'linux/amd64/v2'],
  ['Linux/AMD64/V3', 'linux/amd64/v3'],
  ['linux/aarch64', 'linux/arm64/v8'],
  ['linux/arm64/8.1', 'linux/arm64/v8.1'],
  ['linux/arm', 'linux/arm/v7'],
  ['linux/armhf', 'linux/arm/v7'],
  ['linux/armel', 'linux/arm/v6'],
  ['linux/i386', 'linux/386'],
  ['linux/ppc64', 'linux/ppc64le'],
  ['linux/s390x', 'linux/s390x'],
  ['linux/constructor', 'linux/constructor'],
]
for (const [given, wanted] of normal) {
  test(`${given} is ${wanted}`, (t) => t.is(formatPlatform(normalizePlatform(of(given))), wanted))
}

const matches: [candidate: string, host: string, fits: boolean][] = [
  ['linux/amd64', 'linux/amd64/v3', true],
  ['linux/amd64/v2', 'linux/amd64/v3', true],
  ['linux/amd64/v4', 'linux/amd64/v3', false],
  ['linux/arm/v6', 'linux/arm/v7', true],
  ['linux/arm/v8', 'linux/arm/v7', false],
  ['linux/arm/v7', 'linux/arm64', true],
  ['linux/arm64', 'linux/arm/v7', false],
  ['linux/arm64/v8.1', 'linux/arm64/v9', true],
  ['linux/ppc64le/power8', 'linux/ppc64le/power9', true],
  ['linux/ppc64le/power10', 'linux/ppc64le/power9', false],
  ['linux/riscv64/rva20u64', 'linux/riscv64/rva22u64', true],
  ['windows/amd64', 'linux/amd64', false],
  ['linux/386', 'linux/amd64', false],
]
for (const [candidate, host, fits] of matches) {
  test(`${candidate} ${fits ? 'runs' : 'does not run'} on ${host}`, (t) => {
    t.is(matchesPlatform(of(candidate), of(host)), fits)
  })
}

test('the nearest variant is the best', (t) => {
  const rank = (candidate: string, host: string): number => platformRank(of(candidate), of(host))
  t.true(rank('linux/amd64/v3', 'linux/amd64/v3') > rank('linux/amd64/v2', 'linux/amd64/v3'))
  t.true(rank('linux/amd64/v2', 'linux/amd64/v3') > rank('linux/amd64', 'linux/amd64/v3'))
  t.true(rank('linux/arm64', 'linux/arm64') > rank('linux/arm/v7', 'linux/arm64'))
  t.true(rank('linux/arm/v7', 'linux/arm64') > rank('linux/arm/v6', 'linux/arm64'))
})

test('of Windows the build decides, and every feature must be there', (t) => {
  const windows = { os: 'windows', architecture: 'amd64', 'os.version': '10.0.14393.1066' }
  t.true(matchesPlatform(windows, { ...windows, 'os.version': '10.0.14393.2000' }))
  t.false(matchesPlatform(windows, { ...windows, 'os.version': '10.0.17763.1' }))
  t.true(matchesPlatform(windows, { os: 'windows', architecture: 'amd64' }))
  const drawing = { ...windows, 'os.features': ['win32k'] }
  t.false(matchesPlatform(drawing, windows))
  t.true(matchesPlatform(drawing, { ...windows, 'os.features': ['win32k', 'more'] }))
})

test('an invalid platform is refused', (t) => {
  for (const text of ['', 'linux', '/amd64', 'linux/', 'a/b/c/d']) t.is(parsePlatform(text), undefined, text)
})

test('normal form is normal, and a platform runs on itself', (t) => {
  const word = fc.constantFrom(
    'amd64',
    'x86_64',
    'arm',
    'arm64',
    'armel',
    'riscv64',
    'ppc64le',
    'mips',
    'v7',
    'v8.1',
    '9',
    'power9',
    '',
  )
  fc.assert(
    fc.property(word, word, (architecture, variant) => {
      const once = normalizePlatform({ os: 'linux', architecture, variant })
      t.deepEqual(normalizePlatform(once), once)
      t.true(matchesPlatform(once, once))
    }),
  )
  t.is(hostPlatform().os, 'linux')
})
