/** docs/conformance.md is true: every test that it names exists, and every requirement says how it stands. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { checkout } from '../fixtures/program.ts'

const STATE = /^(holds(, but for .+)?|peers|document|other platform)$/
const PROOF = /`((?:[\w-]+\/)*[\w-]+\.(?:test\.ts|rs))`: (.*?)(?=<br>|$)/g

interface Row {
  section: string
  requirement: string
  state: string
  tests: Array<{ file: string; title: string }>
}

const page = readFileSync(join(checkout, 'docs/conformance.md'), 'utf8')
const rows: Row[] = page
  .split('\n## ')
  .slice(1)
  .flatMap((part) => {
    const [section = '', ...lines] = part.split('\n')
    return lines
      .filter((line) => line.startsWith('| ') && !/^\| (requirement|-)/.test(line))
      .map((line) => {
        const [requirement = '', state = '', proof = ''] = line
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim())
        const tests = [...proof.matchAll(PROOF)].flatMap(([, file, titles]) =>
          titles!.split('; ').map((title) => ({ file: file!, title })),
        )
        return { section, requirement, state, tests }
      })
  })

/** A folder in a name is one of `__test__`, or the path from the top for Rust. */
function source(file: string): string | undefined {
  const places = file.endsWith('.rs')
    ? [file]
    : ['__test__/conformance', '__test__'].map((top) => join(top, file))
  const found = places.map((place) => join(checkout, place)).find((path) => existsSync(path))
  return found === undefined ? undefined : readFileSync(found, 'utf8')
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** A title is a string or the key of a table; one that is built from a template has that in its source. */
function isTitle(title: string, text: string): boolean {
  const quoted = title.replaceAll("'", "\\'")
  if ([`'${quoted}'`, `"${title}"`, `\`${title}\``, `fn ${title}(`].some((literal) => text.includes(literal)))
    return true
  if (text.includes(`\n  ${title}: `)) return true
  return [...text.matchAll(/`([^`\n]*\$\{[^`\n]*)`/g)].some(([, template]) => {
    const pattern = template!
      .split(/\$\{(?:[^{}]|\{[^{}]*\})*\}/)
      .map(escaped)
      .join('.+')
    return /\w{3}/.test(template!.replace(/\$\{[^}]*\}/g, '')) && new RegExp(`^${pattern}$`).test(title)
  })
}

test('every requirement has a state, and what holds has tests', (t) => {
  t.true(rows.length > 200)
  for (const { requirement, state, tests } of rows) {
    t.regex(state, STATE, requirement)
    if (/^holds|^peers/.test(state)) t.true(tests.length > 0, requirement)
  }
})

test('every test that docs/conformance.md names exists', (t) => {
  const missing = rows.flatMap(({ tests }) =>
    tests.filter(({ file, title }) => {
      const text = source(file)
      return text === undefined || !isTitle(title, text)
    }),
  )
  t.deepEqual(missing, [])
})

test('no requirement is written twice', (t) => {
  const all = rows.map(({ section, requirement }) => `${section}: ${requirement}`)
  t.deepEqual(all, [...new Set(all)])
})
