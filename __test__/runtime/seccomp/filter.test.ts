/** `linux.seccomp`: the filter is in force, as with the peers, and nothing else of the program differs. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { CaissonError, Runtime } from '../../../ts/index.ts'
import type { RuntimeSpec } from '../../../ts/spec/index.ts'
import { caisson, peer } from '../../conformance/runtimes.ts'
import { bundle, script } from '../../fixtures/bundle.ts'
import { missing, needs, skipped } from '../../fixtures/needs.ts'
import { nextLine, program } from '../../fixtures/program.ts'
import { scratch } from '../../fixtures/rootfs.ts'

const isRoot = process.geteuid?.() === 0
const able = isRoot ? test : missing('userns') ? skipped(missing('userns')!) : test
type Profile = NonNullable<NonNullable<RuntimeSpec['linux']>['seccomp']>
type Rule = NonNullable<Profile['syscalls']>[number]

const on = (names: string[], action: Rule['action'], more: Partial<Rule> = {}): Profile => ({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names, action, ...more }],
})
const MKDIR = ['mkdir', 'mkdirat']
const TEXT = 'mkdir /dev/shm/x; echo $?; ls /dev/shm'

/** Who the program is, and by what right the filter is loaded. */
const rights = [0, 1000].flatMap((uid) => [true, false].map((noNewPrivileges) => ({ uid, noNewPrivileges })))

function edited(profile: Profile, uid: number, noNewPrivileges: boolean) {
  return (spec: RuntimeSpec): void => {
    spec.linux!.seccomp = profile
    spec.process!.user = { uid, gid: uid }
    spec.process!.noNewPrivileges = noNewPrivileges
  }
}

const actions: [string, Profile][] = [
  ['errno', on(MKDIR, 'SCMP_ACT_ERRNO')],
  ['errno with a number', on(MKDIR, 'SCMP_ACT_ERRNO', { errnoRet: 28 })],
  ['kill', on(MKDIR, 'SCMP_ACT_KILL')],
  ['kill process', on(MKDIR, 'SCMP_ACT_KILL_PROCESS')],
  ['trap', on(MKDIR, 'SCMP_ACT_TRAP')],
  ['log', on(MKDIR, 'SCMP_ACT_LOG')],
  ['trace without a tracer', on(MKDIR, 'SCMP_ACT_TRACE')],
  ['an argument', on(MKDIR, 'SCMP_ACT_ERRNO', { args: [{ index: 1, value: 0o777, op: 'SCMP_CMP_EQ' }] })],
]

for (const [name, profile] of actions) {
  needs(
    'root',
    'runc',
    'crun',
  )(`${name}: as with runc and crun, for every user`, async (t) => {
    for (const { uid, noNewPrivileges } of rights) {
      const path = script(TEXT, { edit: edited(profile, uid, noNewPrivileges) })
      const id = `seccomp-${name.replaceAll(' ', '-')}-${uid}-${noNewPrivileges}`
      const [ours, runc, crun] = await Promise.all([
        caisson(path, id),
        peer('runc')(path, `${id}-runc`),
        peer('crun')(path, `${id}-crun`),
      ])
      t.deepEqual(ours, runc, `${uid} ${noNewPrivileges}`)
      t.deepEqual(ours, crun, `${uid} ${noNewPrivileges}`)
    }
  })
}

/** Sets of capabilities, each of the five lists. */
const sets: Record<string, string[]> = {
  none: [],
  some: ['CAP_KILL', 'CAP_NET_BIND_SERVICE'],
  admin: ['CAP_KILL', 'CAP_SYS_ADMIN'],
}

needs('root', 'runc')('no capability of the start is left in the program: as with runc', async (t) => {
  const lists = Object.keys(sets)
  for (const bounding of lists) {
    for (const permitted of lists.filter((name) =>
      sets[name]!.every((one) => sets[bounding]!.includes(one)),
    )) {
      for (const inheritable of ['none', permitted]) {
        for (const { uid, noNewPrivileges } of rights) {
          const path = script('grep -E "^(Cap|Seccomp|NoNewPrivs)" /proc/self/status', {
            edit: (spec) => {
              edited(on(MKDIR, 'SCMP_ACT_LOG'), uid, noNewPrivileges)(spec)
              spec.process!.capabilities = {
                bounding: sets[bounding]!,
                permitted: sets[permitted]!,
                effective: sets[permitted]!,
                inheritable: sets[inheritable]!,
                ambient: sets[inheritable]!,
              } as never
            },
          })
          const id = `caps-${bounding}-${permitted}-${inheritable}-${uid}-${noNewPrivileges}`
          const [ours, runc] = await Promise.all([caisson(path, id), peer('runc')(path, `${id}-runc`)])
          t.regex(ours.stdout, /^Seccomp:\s+2$/m)
          t.deepEqual(ours, runc, id)
        }
      }
    }
  }
})

needs('root')('a caller with no_new_privs leaves no capability, either', async (t) => {
  const root = scratch('filter-nnp')
  const path = script('grep -E "^(CapPrm|CapEff|NoNewPrivs)" /proc/self/status', {
    edit: (spec) => {
      edited(on(MKDIR, 'SCMP_ACT_LOG'), 0, false)(spec)
      const sets = ['CAP_KILL']
      spec.process!.capabilities = {
        bounding: [...sets, 'CAP_SYS_ADMIN'],
        permitted: sets,
        effective: sets,
      } as never
    },
  })
  const child = program(
    `import { Runtime } from 'caisson'
     const result = await new Runtime({ root: ${JSON.stringify(root)} }).run({ bundle: ${JSON.stringify(path)} })
     console.log(JSON.stringify(result.stdout))`,
    { under: ['setpriv', '--no-new-privs'] },
  )
  const stdout = JSON.parse(await nextLine(child)) as string
  await child.ended
  // SECURITY: what is permitted at execve stays under no_new_privs: bit 21 would be CAP_SYS_ADMIN.
  t.regex(stdout, /^CapPrm:\s+0000000000000020\nCapEff:\s+0000000000000020\nNoNewPrivs:\s+1\n$/)
})

able('an ordinary user, or root, in a user namespace', async (t) => {
  const runtime = new Runtime({ root: scratch('filter') })
  const profile = on(MKDIR, 'SCMP_ACT_ERRNO', { errnoRet: 28 })
  for (const noNewPrivileges of [true, false]) {
    const path = script('mkdir /dev/shm/x; echo $?; grep Seccomp: /proc/self/status', {
      rootless: true,
      edit: edited(profile, 0, noNewPrivileges),
    })
    const { stdout, stderr } = await runtime.run({ bundle: path })
    t.regex(stdout, /^1\nSeccomp:\s+2\n$/)
    t.regex(stderr, /No space left on device/)
  }
})

able('a profile that is broken or too long is refused before anything is made', async (t) => {
  const root = scratch('filter-refused')
  const runtime = new Runtime({ root })
  const many = Array.from({ length: 4000 }, (_, value) => ({
    names: ['mkdir'],
    action: 'SCMP_ACT_ERRNO',
    errnoRet: (value % 100) + 2,
    args: [{ index: 0, value: value * 2 ** 33, op: 'SCMP_CMP_EQ' }],
  }))
  const rule = (one: object): object => ({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [one] })
  const argument = (one: object): object => rule({ names: MKDIR, action: 'SCMP_ACT_LOG', args: [one] })
  const broken: [object, RegExp][] = [
    [{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: many }, /linux\.seccomp: compiles to \d+ instructions/],
    [{ defaultAction: 'SCMP_ACT_FLY' }, /linux\.seccomp\.defaultAction: .*SCMP_ACT_FLY/],
    [on(MKDIR, 'SCMP_ACT_ALLOW', { errnoRet: 1 }), /linux\.seccomp\.syscalls\[0\]\.errnoRet/],
    [{ syscalls: [] }, /linux\.seccomp: missing field `defaultAction`/],
    [{ defaultAction: 'SCMP_ACT_ALLOW', defaultErrnoRet: 1 }, /linux\.seccomp\.defaultErrnoRet/],
    [{ defaultAction: 'SCMP_ACT_ALLOW', listenerMetadata: 'x' }, /linux\.seccomp\.listenerMetadata/],
    [on([], 'SCMP_ACT_LOG'), /linux\.seccomp\.syscalls\[0\]\.names/],
    [rule({ action: 'SCMP_ACT_LOG' }), /linux\.seccomp\.syscalls\[0\]: missing field `names`/],
    [rule({ names: MKDIR }), /linux\.seccomp\.syscalls\[0\]: missing field `action`/],
    [argument({ value: 1, op: 'SCMP_CMP_EQ' }), /args\[0\]: missing field `index`/],
    [argument({ index: 1, op: 'SCMP_CMP_EQ' }), /args\[0\]: missing field `value`/],
    [argument({ index: 1, value: 1 }), /args\[0\]: missing field `op`/],
    [on(MKDIR, 'SCMP_ACT_NOTIFY'), /listenerPath/],
    [{ ...on(MKDIR, 'SCMP_ACT_NOTIFY'), listenerPath: '/no/such/agent' }, /listenerPath \/no\/such\/agent/],
    [{ ...on(MKDIR, 'SCMP_ACT_NOTIFY'), listenerPath: '/etc/passwd' }, /\/etc\/passwd: not a socket/],
  ]
  for (const [profile, message] of broken) {
    const path = bundle({ edit: (spec) => (spec.linux!.seccomp = profile as never) })
    const error = await t.throwsAsync(runtime.create('refused', { bundle: path }), {
      instanceOf: CaissonError,
    })
    t.is(error.code, 'ERR_INVALID_SPEC')
    t.regex(error.message, message)
  }
  t.deepEqual(
    readdirSync(root).filter((name) => name === 'refused'),
    [],
  )
})

able('a failed execve is told to whichever process has asked for the start', async (t) => {
  const root = scratch('filter-execve')
  const runtime = new Runtime({ root })
  const silent: Profile = {
    defaultAction: 'SCMP_ACT_KILL_PROCESS',
    syscalls: [{ names: ['execve', 'mseal'], action: 'SCMP_ACT_ALLOW' }],
  }
  const files = join(root, 'files')
  const path = bundle({
    args: ['/srv/program'],
    edit: (spec) => {
      spec.linux!.seccomp = silent
      spec.mounts!.push({ destination: '/srv', source: files, options: ['bind', 'ro'] })
    },
  })
  mkdirSync(files)
  writeFileSync(join(files, 'program'), '#!/no/such/interpreter\n', { mode: 0o755 })
  const container = await runtime.create('own', { bundle: path })
  const error = await t.throwsAsync(container.start(), { instanceOf: CaissonError })
  t.is(error.code, 'ERR_EXEC_NOT_FOUND')
  t.regex(error.message, /^process\.args: execve\("\/srv\/program", \[1 args\], \[\d+ vars\]\): ENOENT/)
  t.is((await container.state()).status, 'stopped')
  await container.delete()

  const detached = await runtime.create('foreign', { bundle: path, detached: true, stdio: 'ignore' })
  const other = program(`
    import { Runtime } from 'caisson'
    const container = await new Runtime({ root: ${JSON.stringify(root)} }).get('foreign')
    await container.start().then(() => console.log('started'), (error) => console.log(error.code, error.message))
  `)
  const line = await nextLine(other)
  t.regex(line, /^ERR_EXEC_NOT_FOUND process\.args: execve\("\/srv\/program", .*ENOENT/)
  await other.ended
  await detached.delete({ force: true })
})
