/** The documentation is true: its programs run and print what it says, and its tables are complete. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'
import { commands } from '../../ts/cli/commands.ts'
import { globalFlags } from '../../ts/cli/global-flags.ts'
import { Image } from '../../ts/index.ts'
import { missing, needs } from '../fixtures/needs.ts'
import { checkout } from '../fixtures/program.ts'
import { scratch } from '../fixtures/rootfs.ts'
import { text } from '../fixtures/text.ts'

const pages = ['README.md', 'CONTRIBUTING.md']
  .concat(
    readdirSync(join(checkout, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`),
  )
  .filter((name) => name.endsWith('.md'))
const page = (name: string): string => readFileSync(join(checkout, name), 'utf8')

/** A folder with the files that docs/README.md promises to the programs. */
async function folder(): Promise<string> {
  const directory = scratch('docs')
  mkdirSync(join(directory, 'node_modules'))
  symlinkSync(checkout, join(directory, 'node_modules/caisson'))
  writeFileSync(join(directory, 'file'), 'hello\n')
  const programs = ['sh', 'cat', 'hostname', 'id', 'sleep', 'touch', 'yes']
  const image = await Image.fromHost({ layout: join(directory, 'images'), tag: 'busybox', programs })
  await image.unpack(join(directory, 'bundle'), { terminal: false })
  return directory
}

let made: Promise<string> | undefined

for (const name of pages) {
  const programs = [...page(name).matchAll(/```js\n([^]*?)```\n\n```text\n([^]*?)```/g)]
  for (const [index, [, source, output]] of programs.entries()) {
    const limits = /memory:|cpus:|pids:/.test(source!)
    const example =
      process.geteuid?.() === 0 ? needs(...(limits ? (['cgroup'] as const) : [])) : needs('userns')
    // An ordinary user has no delegated cgroup here, and a single id.
    if ((limits || /user: \d/.test(source!)) && missing('root')) continue
    example(`example ${index + 1} of ${name}`, async (t) => {
      const directory = await (made ??= folder())
      const path = join(directory, `${name.replaceAll('/', '-')}-${index}.mjs`)
      writeFileSync(path, source!)
      const child = spawn(process.execPath, [path], {
        cwd: directory,
        env: { ...process.env, CAISSON_STORE: `${path}-store` },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const outputs = Promise.all([text(child.stdout), text(child.stderr)])
      const [status] = (await once(child, 'exit')) as [number]
      const [stdout, stderr] = await outputs
      t.is(status, 0, stderr)
      t.is(stdout, output!)
    })
  }
}

test('there are examples', (t) => {
  const count = pages.map((name) => page(name).match(/```js\n[^]*?```\n\n```text\n/g)?.length ?? 0)
  t.true(count.reduce((sum, each) => sum + each, 0) >= 7)
})

test('every link of the documentation leads somewhere', (t) => {
  for (const name of pages)
    for (const [, target] of page(name).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g))
      if (!/^https?:/.test(target!))
        t.true(existsSync(join(checkout, dirname(name), target!)), `${name}: ${target}`)
})

test('the pages that messages cite exist and are in the package', (t) => {
  const { files } = JSON.parse(page('package.json')) as { files: string[] }
  t.true(files.includes('docs'))
  const sources = ['ts', 'crates'].flatMap((top) =>
    readdirSync(join(checkout, top), { recursive: true, encoding: 'utf8' }).map((name) => join(top, name)),
  )
  let cited = 0
  for (const name of sources.filter((path) => /\.(rs|ts)$/.test(path)))
    for (const [target] of page(name).matchAll(/\bdocs\/[\w/-]+\.md\b/g)) {
      cited += 1
      t.true(existsSync(join(checkout, target)), `${name}: ${target}`)
    }
  t.true(cited > 3)
})

test('docs/errors.md has every code, and no other', (t) => {
  const declared = readFileSync(join(checkout, 'ts/codes.ts'), 'utf8').matchAll(/^ {2}\| '(ERR_\w+)'$/gm)
  const listed = page('docs/errors.md').matchAll(/^\| `(ERR_\w+)` +\|/gm)
  const names = (matches: Iterable<RegExpMatchArray>): string[] =>
    [...matches].map(([, code]) => code!).sort()
  t.deepEqual(names(listed), names(declared))
})

test('docs/cli.md has every verb and every flag', (t) => {
  const words = page('docs/cli.md')
  for (const { name, flags } of commands) {
    t.true(words.includes(`| \`${name}`) || words.includes(`, \`${name} `), name)
    for (const flag of flags) t.is(words.includes(`--${flag.name}`), !flag.hidden, `${name} --${flag.name}`)
  }
  for (const { subcommands = [] } of commands)
    for (const { name, flags } of subcommands) {
      t.true(words.includes(`| \`${name}\` `), name)
      for (const flag of flags) t.true(words.includes(`--${flag.name}`), `image ${name} --${flag.name}`)
    }
  for (const flag of globalFlags) if (!flag.hidden) t.true(words.includes(`--${flag.name}`), flag.name)
})

test('docs/security.md names existing tests', (t) => {
  const sources = ['crates', '__test__']
    .flatMap((top) =>
      readdirSync(join(checkout, top), { recursive: true, encoding: 'utf8' }).map((name) => join(top, name)),
    )
    .filter((name) => /\.(rs|test\.ts)$/.test(name))
  for (const [, file, functions] of page('docs/security.md').matchAll(
    /`([\w-]+(?:\.rs|\.test\.ts))`(?:: ([\w, ]+))?/g,
  )) {
    const named = sources.filter((name) => name.endsWith(`/${file}`))
    t.true(named.length > 0, file)
    for (const name of functions?.split(', ') ?? [])
      t.true(
        named.some((path) => page(path).includes(`fn ${name.trim()}(`)),
        name,
      )
  }
})
