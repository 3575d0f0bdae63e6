// Test runners under one roof: runs a command, shows its lines, counts passed, failed and skipped tests over all of
// them.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { root } from './prepare.mjs'

const total = { passed: 0, failed: 0, skipped: 0 }
// What failed, said again at the end: a log of CI is read from there.
const failures = []

/** A failure that no line accounts for is one failed test. */
async function suite(name, command, args, count, options = {}) {
  console.log(`\n# ${name}`)
  const before = total.failed
  const child = spawn(command, args, { ...options, cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => {
    child.on('error', () => resolve(-1))
    child.on('close', (status) => resolve(status))
  })
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line)
    count(line)
  }
  const status = await ended
  if (status !== 0 && total.failed === before) {
    failures.push(`# ${name} ended with status ${status} and no failed test`)
    total.failed += 1
  }
}

// TAP: "ok 3 - title", "not ok 4 - title", "ok 5 - title # SKIP"; more about a failure is indented below it.
let below = false
const countTap = (line) => {
  const match = /^(not )?ok \d+ - .*?(# SKIP|# TODO)?$/.exec(line)
  below = match ? match[1] !== undefined : below && line.startsWith(' ')
  if (below) failures.push(line)
  if (!match) return
  if (match[2]) total.skipped += 1
  else if (match[1]) total.failed += 1
  else total.passed += 1
}

// libtest: a test that cannot run here prints "SKIPPED: reason" and returns; it counts as skipped, not as passed. What
// failed is between "failures:" and the result.
const countLibtest = (line) => {
  const result = /^test result: .* (\d+) passed; (\d+) failed; (\d+) ignored/.exec(line)
  below = result === null && (below || line === 'failures:')
  if (below) failures.push(line)
  if (result) {
    total.passed += Number(result[1])
    total.failed += Number(result[2])
    total.skipped += Number(result[3])
  } else if (line.startsWith('SKIPPED: ')) {
    total.passed -= 1
    total.skipped += 1
  }
}

/**
 * The TypeScript tests, or a selection of them; `node` is another executable, `under` a command that starts it, `user`
 * another user's options of child_process.spawn.
 */
export async function typescript(selection = [], options = {}) {
  const { node = process.execPath, name = 'TypeScript', under = [], user = {} } = options
  const [command, ...args] = [...under, node, 'node_modules/ava/entrypoints/cli.mjs', '--tap', ...selection]
  await suite(name, command, args, countTap, user)
}

export async function rust({ name = 'Rust', under = [], selection = ['--workspace'] } = {}) {
  const words = ['cargo', 'test', ...selection, '--quiet', '--no-fail-fast', '--', '--show-output']
  const [command, ...args] = [...under, ...words]
  await suite(name, command, args, countLibtest)
}

/** One test that is a function; what it throws is its failure. */
export async function check(name, run) {
  try {
    await run()
    total.passed += 1
    console.log(`ok - ${name}`)
  } catch (error) {
    total.failed += 1
    failures.push(`not ok - ${name}: ${error.message}`)
    console.log(`not ok - ${name}: ${error.message}`)
  }
}

/** A whole suite that cannot run here is one skipped test. */
export function skip(name, reason) {
  console.log(`\n# ${name}: skipped: ${reason}`)
  total.skipped += 1
}

/** The closing line, and the exit status that goes with it. */
export function summary() {
  for (const line of failures) console.log(`FAILED: ${line}`)
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
  process.exitCode = total.failed === 0 ? 0 : 1
}
