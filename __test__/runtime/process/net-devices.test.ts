/** `linux.netDevices`, in a network namespace of the test: the process that calls us is its runtime. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'ava'
import { Runtime } from '../../../ts/index.ts'
import type { RuntimeSpec } from '../../../ts/spec/index.ts'
import { bundle } from '../../fixtures/bundle.ts'
import { missing, skipped } from '../../fixtures/needs.ts'
import { nextLine, program } from '../../fixtures/program.ts'
import { scratch } from '../../fixtures/rootfs.ts'

const root = join(scratch('net-devices'), 'root')

function obstacle(): string | undefined {
  if (spawnSync('ip', ['-V']).error) return 'ip is not installed (iproute2)'
  return missing('root') ?? missing('busybox')
}

const reason = obstacle()
const privileged = reason === undefined ? test : skipped(reason)

interface Device {
  ifname: string
  mtu: number
  flags: string[]
  addr_info: { local: string; scope: string; label?: string; prefixlen: number }[]
}

interface Seen {
  /** Failure of the container, or nothing. */
  error?: { code: string; message: string; errno?: string; hint?: string }
  /** What the program prints. */
  stdout?: string
  /** Devices of the runtime's namespace afterwards. */
  outside: Device[]
}

type NetDevices = Record<string, { name?: string }>

/** `busybox ip` knows no JSON: inside, addresses are shown one device a line. */
const SHOW = ['busybox', 'ip', '-o', 'addr']

/** Runs a container from a process in a new network namespace, in which `setup` was executed before. */
async function inNamespace(
  setup: string,
  netDevices: NetDevices,
  more: (spec: RuntimeSpec) => void = () => {},
): Promise<Seen> {
  const path = bundle({
    args: SHOW,
    edit: (spec) => {
      spec.linux!.netDevices = netDevices
      more(spec)
    },
  })
  const caller = program(
    `
import { execFileSync } from 'node:child_process'
import { Runtime } from 'caisson'
execFileSync('sh', ['-ec', ${JSON.stringify(setup)}])
const runtime = new Runtime({ root: ${JSON.stringify(root)} })
const seen = {}
try {
  seen.stdout = (await runtime.run({ bundle: ${JSON.stringify(path)} })).stdout
} catch ({ code, message, errno, hint, cause }) {
  seen.error = { code: cause?.code ?? code, message, errno: cause?.errno ?? errno, hint }
}
seen.outside = JSON.parse(execFileSync('ip', ['-json', 'address'], { encoding: 'utf8' }))
console.log(JSON.stringify(seen))
`,
    { under: ['unshare', '--net', '--mount'] },
  )
  const seen = JSON.parse(await nextLine(caller)) as Seen
  await caller.ended
  return seen
}

const VETH = `
ip link add veth7 type veth peer name veth8
ip link set veth7 mtu 1400
ip addr add 10.1.2.3/24 dev veth7
ip addr add 10.1.2.4/24 dev veth7 label veth7:x
ip addr add 10.9.9.9/32 peer 10.9.9.1 dev veth7
ip addr add 169.254.1.1/16 dev veth7 scope link
ip addr add 10.1.2.5/24 dev veth7 valid_lft 1000 preferred_lft 1000
ip addr add fd00::7/64 dev veth7 nodad
ip link set veth7 up
ip link set veth8 up
`

const named = (devices: Device[], name: string): Device | undefined =>
  devices.find(({ ifname }) => ifname === name)

privileged('a device is moved and renamed, keeps its global permanent addresses, and is up', async (t) => {
  const { error, stdout = '', outside } = await inNamespace(VETH, { veth7: { name: 'net1' } })
  t.is(error, undefined)
  const lines = stdout.split('\n').filter((line) => line.includes('net1'))
  const inside = lines.map((line) => /inet6? (\S+(?: peer \S+)?)/.exec(line)?.[1]).filter(Boolean)
  t.deepEqual(
    inside.filter((address) => !address!.startsWith('fe80')).sort(),
    ['10.1.2.3/24', '10.1.2.4/24', '10.9.9.9 peer 10.9.9.1/32', 'fd00::7/64'].sort(),
  )
  t.regex(stdout, /10\.1\.2\.4\/24 .*net1:x/, 'the label follows the name')
  t.is(named(outside, 'veth7'), undefined)
  // The namespace has ended with the container, and the pair with it.
  t.is(named(outside, 'veth8'), undefined)
})

privileged('the device is up and has its settings', async (t) => {
  const show = (spec: RuntimeSpec): void => void (spec.process!.args = ['busybox', 'ip', 'link'])
  const { stdout } = await inNamespace(VETH, { veth7: {} }, show)
  t.regex(stdout!, /veth7.*<[^>]*\bUP\b[^>]*> mtu 1400/)
})

privileged('a template becomes a free name', async (t) => {
  const setup = `${VETH} ip link add veth5 type veth peer name veth6`
  const devices = { veth5: { name: 'eth%d' }, veth6: { name: 'eth%d' }, veth7: { name: 'net%d' } }
  const { error, stdout } = await inNamespace(setup, devices, (spec) => {
    spec.process!.args = ['busybox', 'ip', '-o', 'link']
  })
  t.is(error, undefined)
  const names = [...stdout!.matchAll(/^\d+: ([^:@]+)/gm)].map(([, name]) => name)
  t.deepEqual(names.sort(), ['eth0', 'eth1', 'lo', 'net0'])
})

/** As it was made. */
function isUntouched(outside: Device[]): boolean {
  const device = named(outside, 'veth7')
  const addresses = device?.addr_info.map(({ local }) => local) ?? []
  return (
    device !== undefined &&
    device.mtu === 1400 &&
    device.flags.includes('UP') &&
    ['10.1.2.3', '10.1.2.4', '10.9.9.9', 'fd00::7'].every((address) => addresses.includes(address))
  )
}

privileged('nothing is moved where one of the devices is missing', async (t) => {
  const { error, outside } = await inNamespace(VETH, { veth7: {}, veth9: {} })
  t.is(error!.code, 'ERR_NOT_FOUND')
  t.regex(error!.message, /linux\.netDevices\.veth9: the runtime's network namespace has no such device/)
  t.true(isUntouched(outside))
})

privileged('what was moved before a failure is moved back, with its addresses', async (t) => {
  // lo belongs to its namespace for good, which only the kernel knows; `veth7` comes before it.
  const devices = { veth7: { name: 'net1' }, zlo: { name: 'net2' } }
  const setup = `${VETH} ip link set lo down && ip link set lo name zlo`
  const { error, outside } = await inNamespace(setup, devices)
  t.regex(error!.message, /linux\.netDevices\.zlo: sendto\(.*RTM_SETLINK/)
  t.true(isUntouched(outside), JSON.stringify(outside))
})

/** The configuration joins the network namespace at `path`, whose sysfs cannot be mounted anew. */
const network =
  (path?: string) =>
  (spec: RuntimeSpec): void => {
    const others = spec.linux!.namespaces!.filter(({ type }) => type !== 'network')
    spec.linux!.namespaces = path === undefined ? others : [...others, { type: 'network', path }]
    const sysfs = spec.mounts!.find(({ destination }) => destination === '/sys')!
    Object.assign(sysfs, { type: 'none', source: '/sys', options: ['rbind', 'ro'] })
  }

privileged('a name that is taken in a joined namespace is refused, and nothing is moved', async (t) => {
  const setup = `${VETH}
mount -t tmpfs none /mnt
touch /mnt/net
unshare --net=/mnt/net true
ip link add veth3 type veth peer name taken
ip link set taken netns /mnt/net`
  const taken = await inNamespace(setup, { veth7: { name: 'taken' } }, network('/mnt/net'))
  t.is(taken.error!.code, 'ERR_EXISTS')
  t.regex(taken.error!.message, /has a device "taken" already/)
  t.true(isUntouched(taken.outside))
  const free = await inNamespace(setup, { veth7: { name: 'free' } }, network('/mnt/net'))
  t.is(free.error, undefined)
  t.regex(free.stdout!, /free.*10\.1\.2\.3\/24/)
})

privileged("without a network namespace, or with the runtime's own, it is refused", async (t) => {
  const shared = await inNamespace(VETH, { veth7: {} }, network())
  t.is(shared.error!.code, 'ERR_INVALID_SPEC')
  t.regex(shared.error!.message, /unable to move network devices without a NET namespace/)
  const own = await inNamespace(VETH, { veth7: {} }, network('/proc/self/ns/net'))
  t.is(own.error!.code, 'ERR_INVALID_SPEC')
  t.regex(own.error!.message, /the container's network namespace is the runtime's own/)
  t.true(isUntouched(shared.outside) && isUntouched(own.outside))
})

privileged('into a network namespace of a new user namespace', async (t) => {
  const { error, stdout } = await inNamespace(VETH, { veth7: { name: 'net1' } }, (spec) => {
    spec.linux!.namespaces!.push({ type: 'user' })
    spec.linux!.uidMappings = [{ containerID: 0, hostID: 0, size: 100_000 }]
    spec.linux!.gidMappings = [{ containerID: 0, hostID: 0, size: 100_000 }]
  })
  t.is(error, undefined)
  t.regex(stdout!, /10\.1\.2\.3\/24/)
})

const ordinary = missing('root') === undefined || missing('userns') !== undefined ? test.skip : test

ordinary('an ordinary user has no devices to give', async (t) => {
  const edit = (spec: RuntimeSpec): void => {
    spec.linux!.namespaces!.push({ type: 'network' })
    spec.linux!.netDevices = { lo: { name: 'net1' } }
  }
  const path = bundle({ edit })
  const error = await t.throwsAsync(new Runtime({ root }).create('ordinary', { bundle: path }))
  t.regex(error.message, /network devices are not supported for rootless containers/)
})
