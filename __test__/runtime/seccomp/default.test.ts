/** The default profile: in force for images and for programs of the host, offered for bundles, and switched off. */
import { CaissonError, Image, Runtime, Store } from '../../../ts/index.ts'
import type { RuntimeSpec } from '../../../ts/spec/index.ts'
import { bundle } from '../../fixtures/bundle.ts'
import { needs } from '../../fixtures/needs.ts'
import { rootfs, scratch } from '../../fixtures/rootfs.ts'
import { makeImage, storeRoot } from '../../store/images.ts'

const runtime = new Runtime({ root: `${scratch('default-seccomp')}/run` })

/** Prints the errno of each call, 0 where it succeeds: numbers and arguments are those of this architecture. */
const calls = (...lines: string[]): string[] => [
  'python3',
  '-c',
  `
import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == 'x86_64'
def call(number, *arguments):
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(number), *map(ctypes.c_ulong, arguments))
    return ctypes.get_errno()
SOCKET, KEYCTL, UNSHARE, CLONE3 = (41, 250, 272, 435) if x86 else (198, 219, 97, 435)
print(${lines.join(', ')})`,
]
const STATUS = ['cat', '/proc/self/status']
const FILTERED = /^Seccomp:\t2$/m
const UNFILTERED = /^Seccomp:\t0$/m
const EPERM = 1
const ENOSYS = 38
/** keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) fails with ENOKEY at most. */
const KEYCTL = 'call(KEYCTL, 0, 2**64 - 3, 0)'

needs('userns', 'python3')('programs of the host have the default profile', async (t) => {
  const command = calls(
    KEYCTL,
    'call(UNSHARE, 0x10000000)',
    'call(CLONE3, 0, 0)',
    'call(SOCKET, 38, 5, 0)',
    // SECURITY: the kernel takes the lower half as the family (CVE-2026-31431 needs AF_ALG).
    'call(SOCKET, 2**32 + 38, 5, 0)',
    'call(SOCKET, 1, 1, 0)',
    'call(1000)',
  )
  const { stdout } = await runtime.run('host', command)
  t.is(stdout.trim(), [EPERM, EPERM, ENOSYS, EPERM, EPERM, 0, ENOSYS].join(' '))
  const status = await runtime.run('host', STATUS)
  t.regex(status.stdout, FILTERED)
})

needs('userns', 'python3')('unconfined switches it off', async (t) => {
  const options = { seccomp: 'unconfined' as const }
  const { stdout } = await runtime.run('host', calls(`${KEYCTL} != ${EPERM}`, 'call(CLONE3, 0, 0)'), options)
  t.is(stdout.trim(), 'True 22')
  const status = await runtime.run('host', STATUS, options)
  t.regex(status.stdout, UNFILTERED)
})

needs('userns', 'busybox')(
  'a bundle has the profile of its configuration, and the default one on demand',
  async (t) => {
    const path = bundle({ args: STATUS })
    t.regex((await runtime.run({ bundle: path })).stdout, UNFILTERED)
    t.regex((await runtime.run({ bundle: path }, undefined, { seccomp: 'default' })).stdout, FILTERED)
    t.regex((await runtime.run({ rootfs: rootfs() }, STATUS)).stdout, UNFILTERED)
    t.regex((await runtime.run({ rootfs: rootfs() }, STATUS, { seccomp: 'default' })).stdout, FILTERED)
  },
)

needs('root', 'busybox')('an image has the default profile', async (t) => {
  const store = new Store({ root: storeRoot(), durability: 'none' })
  const ofStore = new Runtime({ root: `${scratch('default-seccomp-image')}/run`, store })
  const image = await Image.open(makeImage())
  t.regex((await ofStore.run(image, STATUS)).stdout, FILTERED)
  t.regex((await ofStore.run(image, STATUS, { seccomp: 'unconfined' })).stdout, UNFILTERED)
})

/** Names that the default profile of a configuration allows. */
async function allowed(bounding: string[]): Promise<string[]> {
  let names: string[] = []
  const edit = (spec: RuntimeSpec): void => void (spec.process!.capabilities = { bounding })
  await runtime.run({ bundle: bundle({ edit }) }, undefined, {
    seccomp: 'default',
    spec: (spec) => {
      const rules = spec.linux!.seccomp!.syscalls!.filter(({ action, args }) => {
        return action === 'SCMP_ACT_ALLOW' && args === undefined
      })
      names = rules.flatMap((rule) => rule.names)
      return spec
    },
  })
  return names
}

needs('userns', 'busybox')('capabilities of the configuration allow the calls that need them', async (t) => {
  const [plain, admin] = [await allowed([]), await allowed(['CAP_SYS_ADMIN'])]
  t.deepEqual(
    ['openat', 'mount', 'clone3', 'io_uring_setup'].map((name) => plain.includes(name)),
    [true, false, false, false],
  )
  t.deepEqual(
    ['openat', 'mount', 'clone3', 'io_uring_setup'].map((name) => admin.includes(name)),
    [true, true, true, false],
  )
})

needs('userns', 'busybox')('another value is refused before any effect', async (t) => {
  const options = { seccomp: 'off' as 'default' }
  const error = await t.throwsAsync<CaissonError>(async () => {
    await runtime.run({ rootfs: rootfs() }, ['true'], options)
  })
  t.is(error.code, 'ERR_INVALID_OPTION')
  t.regex(error.message, /seccomp.*'default', 'unconfined' or a profile/)
})
