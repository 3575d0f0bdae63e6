// The wording that a search can find (CONTRIBUTING.md, "Words"): phrases that no native engineer writes, and lines of docs
// and comments that are too long.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './prepare.mjs'

const phrases = [
  [
    /(?<!\bthere )\b(?:is|are) no (?!longer\b|more\b|less\b|different\b)/i,
    'write "is not a …" or "invalid …"',
  ],
  [/\b(?:[Ii]s|[Aa]re) none\b/, 'write "missing" or "not a …"'],
  [/\bthere (?:is|are) no such\b/i, 'write "unknown …" or "missing …"'],
  [/\bstands? (?!alone\b|out\b|up\b)/i, 'write "is", "means" or "stands for" as "represents"'],
  [/\bwhoever\b/i, 'name the caller, the holder or the process'],
  [/\b(?:some|no|any)body\b(?![:'"`/])/i, 'name the user, the process or the peer'],
]
const LONGEST = 120

/** Folders and files that are read. What is listed as not swept yet is left alone. */
const sources = [
  'crates',
  'ts',
  '__test__',
  'scripts',
  'benchmark',
  'examples',
  'docs',
  'README.md',
  'CONTRIBUTING.md',
]
const notSwept = [
  'crates/digest/tests/files.rs',
  'crates/layer/src/unpack/copy_up.rs',
  'crates/layer/src/view/mtree.rs',
  'crates/layer/src/write/append.rs',
  'crates/layer/src/write/flatten.rs',
  'crates/layer/src/write/plan.rs',
  'crates/layer/src/write/upper.rs',
  'scripts/cgroup2-vm',
  'ts/cli/image/config-flags.ts',
]
const readable = /\.(?:rs|ts|mjs|cjs|md)$|\/[\w-]+$/
const generated = /binding\.d\.ts$|\/golden\/|\/corpus\/|check-words\.mjs$/

const problems = []
const files = sources.flatMap((source) =>
  source.endsWith('.md')
    ? [source]
    : readdirSync(join(root, source), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
)
for (const file of files) {
  if (!readable.test(file) || generated.test(file) || notSwept.some((path) => file.startsWith(path))) continue
  const lines = readFileSync(join(root, file), 'utf8').split('\n')
  const isPage = file.endsWith('.md')
  let inCode = false
  for (const [index, line] of lines.entries()) {
    const at = `${file}:${index + 1}`
    if (isPage && /^\s*```/.test(line)) inCode = !inCode
    for (const [phrase, advice] of phrases) {
      const found = phrase.exec(line)
      if (found) problems.push(`${at}: "${found[0].trim()}": ${advice}`)
    }
    const prose = isPage ? !inCode && !/^\s*\|/.test(line) : /^\s*(?:\/\/|\*|\/\*)/.test(line)
    if (prose && line.length > LONGEST && !/https?:/.test(line))
      problems.push(`${at}: ${line.length} columns`)
  }
}
for (const problem of problems) console.log(problem)
process.exitCode = problems.length === 0 ? 0 : 1
