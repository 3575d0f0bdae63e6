/** Compares trees with the results of other tools. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Image, type UnpackResult } from '../../ts/image/index.ts'
import { missing } from '../fixtures/needs.ts'
import { readTree, treeDifferences, type TreeOptions } from '../fixtures/tree.ts'

/** Runs a bash script and returns its output. Throws if it fails. */
export function sh(command: string, cwd: string): string {
  const env = { ...process.env, LC_ALL: 'C.UTF-8' }
  const { status, stdout, stderr } = spawnSync('bash', ['-ec', command], { cwd, env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command}: ${stderr}`)
  return stdout
}

/** `test`, or a counted skip where a program is missing or this is not root. */
export function using(...programs: string[]): typeof test {
  const absent = programs.find((name) => spawnSync('which', [name]).status !== 0)
  const reason = missing('root', 'python3') ?? (absent ? `${absent} is not installed` : undefined)
  if (!reason) return test
  return ((title: string, implementation: () => void) => {
    console.error(`skipped: ${title}: ${reason}`)
    test.skip(title, implementation)
  }) as unknown as typeof test
}

/** Every type of file, every kind of name, attributes and times. */
const RICH = `
mkdir -p tree && cd tree
mkdir -m 1777 tmp; mkdir -m 2755 setgid; mkdir -m 0500 closed -p; mkdir empty
echo text > file; chmod 4755 file; chown 33:34 file
ln file hard; ln -s ../outside soft; ln -s "$(printf 'x%.0s' {1..180})" long-target
mkfifo -m 640 pipe; mknod -m 666 null c 1 3; mknod disk b 259 70000
printf x > $'bytes-\\xff'; printf x > 'ünï code'; printf x > "$(printf 'n%.0s' {1..200})"
deep="$(printf 'd%.0s' {1..90})"; mkdir -p $deep/$deep/$deep; echo deep > $deep/$deep/$deep/file
truncate -s 3M holes; printf start | dd of=holes conv=notrunc status=none
printf end | dd of=holes bs=1 seek=2000000 conv=notrunc status=none
truncate -s 1M only-hole
python3 -c '
import os, struct
os.setxattr("file", "user.text", b"line\\nline=\\x00end")
os.setxattr("empty", "user.directory", b"1")
os.setxattr("file", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
entry = lambda tag, bits, id=0xffffffff: struct.pack("<HHI", tag, bits, id)
acl = struct.pack("<I", 2) + entry(1, 7) + entry(2, 5, 1234) + entry(4, 5) + entry(16, 5) + entry(32, 0)
os.setxattr("empty", "system.posix_acl_default", acl)
os.setxattr("setgid", "system.posix_acl_access", acl)
os.chown("closed", 70000, 3000000, follow_symlinks=False)
os.chown("soft", 5, 6, follow_symlinks=False)
'
chown 33:34 null
touch -h -d @1234567890.123456789 soft file; touch -d '1960-01-01 00:00:00.5Z' empty; touch -d @5000000000 pipe
touch -d @1000000001.25 tmp closed .
`

/** Makes such a tree, `tree` below `base`. */
export function rich(base: string): string {
  sh(RICH, base)
  return join(base, 'tree')
}

/** Unpacks an image to `ours` below `base`, and asserts that this is the expected tree. */
export async function compare(
  t: ExecutionContext,
  reference: string,
  base: string,
  expected: string,
  options: TreeOptions = {},
): Promise<UnpackResult> {
  const image = await Image.open(reference)
  t.teardown(() => image.close())
  const target = join(base, 'ours')
  const result = await image.unpackRootfs(target)
  t.deepEqual(treeDifferences(readTree(target, options), readTree(expected, options)).slice(0, 20), [])
  return result
}
