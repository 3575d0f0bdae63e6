// npm test: prepares the checkout, runs the TypeScript tests (ava) and the Rust tests (cargo), and ends with one line
// `N passed, N failed, N skipped`. Arguments are passed on to ava (a file, `--match=…`), and then only ava runs.
import { prepare } from './prepare.mjs'
import { rust, summary, typescript } from './suite.mjs'

prepare()
const selection = process.argv.slice(2)
await typescript(selection)
if (selection.length === 0) await rust()
summary()
