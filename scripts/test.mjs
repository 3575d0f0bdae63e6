// npm test: prepares the checkout, runs the TypeScript tests (ava) and the Rust tests (cargo), and ends with one line
// `N passed, N failed, N skipped`. Arguments are passed on to ava (a file, `--match=…`), and then only ava runs.
import { conformance } from './conformance.mjs'
import { ordinaryUser } from './ordinary-user.mjs'
import { prepare } from './prepare.mjs'
import { rust, skip, summary, typescript } from './suite.mjs'

prepare()
const selection = process.argv.slice(2)
await typescript(selection)
if (selection.length === 0) {
  const { user, reason, end } = ordinaryUser()
  if (user) await typescript(conformance, { name: 'Conformance as an ordinary user', user })
  else if (reason) skip('Conformance as an ordinary user', reason)
  end?.()
  await rust()
}
summary()
