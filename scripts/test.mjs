// npm test: prepares the checkout, runs the TypeScript tests (ava) and the Rust tests (cargo), and ends with one line
// `N passed, N failed, N skipped`. Arguments are passed on to ava (a file, `--match=…`), and then only ava runs.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { prepare, root } from './prepare.mjs'

prepare()
const selection = process.argv.slice(2)
const total = { passed: 0, failed: 0, skipped: 0 }

/** Runs a command, shows its lines, hands each to `count`; a failure that no line accounts for is one failed test. */
async function suite(name, command, args, count) {
  console.log(`\n# ${name}`)
  const before = total.failed
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line)
    count(line)
  }
  const status = child.exitCode ?? (await new Promise((resolve) => child.on('close', resolve)))
  if (status !== 0 && total.failed === before) {
    console.log(`# ${name} ended with status ${status} and no failed test`)
    total.failed += 1
  }
}

// TAP: "ok 3 - title", "not ok 4 - title", "ok 5 - title # SKIP"
const countTap = (line) => {
  const match = /^(not )?ok \d+ - .*?(# SKIP|# TODO)?$/.exec(line)
  if (!match) return
  if (match[2]) total.skipped += 1
  else if (match[1]) total.failed += 1
  else total.passed += 1
}

// libtest: a test that cannot run here prints "SKIPPED: reason" and returns; it counts as skipped, not as passed.
const countLibtest = (line) => {
  const result = /^test result: .* (\d+) passed; (\d+) failed; (\d+) ignored/.exec(line)
  if (result) {
    total.passed += Number(result[1])
    total.failed += Number(result[2])
    total.skipped += Number(result[3])
  } else if (line.startsWith('SKIPPED: ')) {
    total.passed -= 1
    total.skipped += 1
  }
}

await suite('TypeScript', 'npx', ['ava', '--tap', ...selection], countTap)
if (selection.length === 0) {
  await suite(
    'Rust',
    'cargo',
    ['test', '--workspace', '--quiet', '--no-fail-fast', '--', '--show-output'],
    countLibtest,
  )
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed === 0 ? 0 : 1
