// Bundles ts/ into dist/ (zod goes in, so a user installs no JavaScript dependency) and writes the type declarations.
import { build } from 'esbuild'
import { chmodSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from './prepare.mjs'

const out = join(root, 'dist')
rmSync(out, { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: {
    index: 'ts/index.ts',
    digest: 'ts/digest/index.ts',
    spec: 'ts/spec/index.ts',
    cli: 'ts/cli/main.ts',
  },
  outdir: out,
  bundle: true,
  splitting: true, // the sub-paths share one copy of the error classes
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // Functions are compiled when they are first called: less text to read again. Names stay, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  chunkNames: 'chunks/[name]-[hash]',
  logLevel: 'warning',
})
run('npx', ['tsc', '-p', 'tsconfig.build.json'])
chmodSync(join(out, 'cli.js'), 0o755)
