/** Containers that join some namespaces of another one, as those of a pod do, and make the rest. */
import { readlinkSync } from 'node:fs'
import type { CreateRequest, Engine } from '../../ts/native/engine.ts'

/** Types of namespaces with their names below /proc/PID/ns. */
const FILES = {
  network: 'net',
  ipc: 'ipc',
  uts: 'uts',
  pid: 'pid',
  cgroup: 'cgroup',
  time: 'time',
  user: 'user',
} as const

export type Kind = keyof typeof FILES

export interface Matrix {
  /** Of a container without mounts that sleeps; `config` and `id` are set here. */
  request: Omit<CreateRequest, 'id'>
  config: { linux: Record<string, unknown> }
  /** Joined by every container of the matrix. */
  always: Kind[]
  /** Joined by some: every subset, in two orders. */
  some: Kind[]
}

let serial = 0

const link = (pid: number | 'self', kind: Kind): string => readlinkSync(`/proc/${pid}/ns/${FILES[kind]}`)

/** Runs all of them. What differs from the kernel's truth, a line each. */
export async function problemsOf(
  engine: Engine,
  { request, config, always, some }: Matrix,
): Promise<string[]> {
  const problems: string[] = []
  const all = [...always, ...some]
  const make = async (namespaces: { type: string; path?: string }[]) => {
    const id = `joined-${process.pid}-${serial++}`
    const linux = { ...config.linux, namespaces: [{ type: 'mount' }, ...namespaces] }
    // Containerd and CRI-O write the mappings beside the path of a user namespace, too.
    if (!namespaces.some(({ type }) => type === 'user')) {
      delete (linux as Record<string, unknown>)['uidMappings']
      delete (linux as Record<string, unknown>)['gidMappings']
    }
    const { pid } = await engine.create({ ...request, id, config: JSON.stringify({ ...config, linux }) })
    await engine.start(request.root, id)
    return { pid, end: () => engine.destroy({ root: request.root, id, force: true }) }
  }
  const pod = await make(all.map((type) => ({ type })))
  try {
    for (let mask = 0; mask < 2 ** some.length; mask++) {
      const joined = new Set([...always, ...some.filter((_, index) => mask & (1 << index))])
      // Every subset in an order of its own, and the same backwards.
      const order = all.toSorted((a, b) => rank(a, mask) - rank(b, mask))
      for (const kinds of [order, order.toReversed()]) {
        const name = kinds.map((kind) => (joined.has(kind) ? kind : `new ${kind}`)).join(', ')
        try {
          const member = await make(
            kinds.map((type) =>
              joined.has(type) ? { type, path: `/proc/${pod.pid}/ns/${FILES[type]}` } : { type },
            ),
          )
          for (const kind of all) {
            const found = link(member.pid, kind)
            if (joined.has(kind) && found !== link(pod.pid, kind))
              problems.push(`${name}: ${kind} is not joined`)
            if (!joined.has(kind) && [link(pod.pid, kind), link('self', kind)].includes(found)) {
              problems.push(`${name}: ${kind} is not new`)
            }
          }
          await member.end()
        } catch (error) {
          problems.push(`${name}: ${String(error)}`)
        }
      }
    }
  } finally {
    await pod.end()
  }
  return problems
}

function rank(kind: Kind, mask: number): number {
  let hash = mask + 1
  for (const character of kind) hash = (hash * 31 + character.charCodeAt(0) * (mask + 7)) % 65_521
  return hash
}
