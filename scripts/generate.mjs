// npm run generate: writes the TypeScript files that Rust tables are the source of. `cargo test` fails where one is
// stale.
import { run } from './prepare.mjs'

const crates = ['caisson-code', 'caisson-plan']
run('cargo', ['test', '--quiet', ...crates.flatMap((crate) => ['-p', crate]), '--test', 'generated'], {
  CAISSON_GENERATE: '1',
})
