/** Limits. */
import { existsSync } from 'node:fs'
import { all, differing, edit, linux, resources, type Table } from './edit.ts'

const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers')
const MIB = 1_048_576
const memory = (change: object) => resources({ memory: change })
const cpu = (change: object) => resources({ cpu: change })
const pids = (limit: number) => resources({ pids: { limit } })

// On version 2 shares become a weight. Ours is that of runc since 1.3.2: 1024 shares, the default, are the default
// weight.
const NEWER_WEIGHT: Record<string, string> = isUnified
  ? {
      'cgroup cpu.weight':
        'the peers of Debian 12 convert in a straight line, where the default of 1024 becomes 39',
    }
  : {}

export const limits: Table = {
  'a memory limit': memory({ limit: 64 * MIB }),
  'memory and reservation': memory({ limit: 64 * MIB, reservation: 32 * MIB }),
  'a reservation alone': memory({ reservation: 32 * MIB }),
  'memory unlimited': memory({ limit: -1 }),
  'memory that is not a multiple of a page': memory({ limit: 64 * MIB + 1 }),
  'cpu shares': differing(NEWER_WEIGHT, cpu({ shares: 512 })),
  'the smallest cpu shares': differing(NEWER_WEIGHT, cpu({ shares: 2 })),
  'large cpu shares': differing(NEWER_WEIGHT, cpu({ shares: 200_000 })),
  'cpu quota and period': cpu({ quota: 50_000, period: 200_000 }),
  'a cpu quota alone': cpu({ quota: 30_000 }),
  'a cpu period alone': cpu({ period: 50_000 }),
  'cpu unlimited': cpu({ quota: -1, period: 100_000 }),
  'a cpu set': cpu({ cpus: '0' }),
  'a cpu set of a range': cpu({ cpus: '0-1' }),
  'memory nodes': cpu({ mems: '0' }),
  'a cpu set that is missing': cpu({ cpus: '4095' }),
  'a limit of processes': pids(50),
  'processes unlimited': pids(-1),
  'several resources': {
    ...resources({ pids: { limit: 50 }, memory: { limit: 64 * MIB }, cpu: { shares: 2048 } }),
    differs: NEWER_WEIGHT,
  },
  'empty limits': resources({ pids: undefined, memory: {}, cpu: {} }),
  'no resources': edit((spec) => void delete spec.linux!.resources),
  'an absolute cgroupsPath': edit((spec, { id }) => void (spec.linux!.cgroupsPath = `/${id}/nested/place`)),
  'a relative cgroupsPath': edit((spec, { id }) => void (spec.linux!.cgroupsPath = `${id}-relative`)),
  'a cpu period that is too short': cpu({ quota: 1000, period: 10 }),
  ...(isUnified
    ? {
        'unified of a controller': resources({ unified: { 'pids.max': '77', 'memory.low': '1048576' } }),
        'unified of a controller that is missing': resources({ unified: { 'nosuch.max': '1' } }),
      }
    : {
        'memory and swap': memory({ limit: 64 * MIB, swap: 128 * MIB }),
        swappiness: memory({ swappiness: 37 }),
        'no OOM killer': memory({ limit: 64 * MIB, disableOOMKiller: true }),
        'the largest memory': all(memory({ limit: 64 * MIB }), linux({})),
      }),
}
