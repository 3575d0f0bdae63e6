/** A config.json that is not a regular file, or does not end, is refused by every reader and holds none of them up. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { CaissonError, Runtime } from '../../ts/index.ts'
import { scratch } from '../fixtures/rootfs.ts'

const folder = scratch('config-file')
const runtime = new Runtime({ root: join(folder, 'state') })

/** By the native side, by TypeScript to change it, and by TypeScript as the option `config`. */
const ways = {
  native: (bundle: string) => runtime.create('job', { bundle }),
  changed: (bundle: string) => runtime.create('job', { bundle, hostname: 'x' }),
  config: (bundle: string) => runtime.create('job', { bundle, config: join(bundle, 'config.json') }),
  plan: (bundle: string) => runtime.plan(bundle),
}

const files: Record<string, { make: (path: string) => void; code: string; text: RegExp }> = {
  'a FIFO': {
    make: (path) => void spawnSync('mkfifo', [path]),
    code: 'ERR_INVALID_BUNDLE',
    text: /config\.json is not a regular file/,
  },
  'a link to a device without an end': {
    make: (path) => symlinkSync('/dev/zero', path),
    code: 'ERR_INVALID_BUNDLE',
    text: /config\.json is not a regular file/,
  },
  'a directory': {
    make: (path) => void mkdirSync(path),
    code: 'ERR_INVALID_BUNDLE',
    text: /config\.json is not a regular file/,
  },
  'a file of 17 MiB': {
    make: (path) => {
      writeFileSync(path, '{')
      truncateSync(path, 17 << 20)
    },
    code: 'ERR_LIMIT_EXCEEDED',
    text: /config\.json has (more than 16777216|17825792) bytes/,
  },
  'a file that is not UTF-8': {
    make: (path) => writeFileSync(path, Buffer.from('{"ociVersion": "1.0.2\xff"}', 'latin1')),
    code: 'ERR_INVALID_SPEC',
    text: /config\.json/,
  },
}

for (const [what, { make, code, text }] of Object.entries(files)) {
  test(`config.json that is ${what} is refused by every reader`, async (t) => {
    for (const [way, create] of Object.entries(ways)) {
      const bundle = join(folder, `${what}-${way}`.replaceAll(' ', '-'))
      mkdirSync(bundle)
      make(join(bundle, 'config.json'))
      const error = await t.throwsAsync<CaissonError>(create(bundle), { code }, way)
      t.regex(error?.message ?? '', text, way)
      t.false(existsSync(join(folder, 'state/job')), way)
      rmSync(bundle, { recursive: true })
    }
  })
}
