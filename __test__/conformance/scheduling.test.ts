/** config.md, `scheduler` and `ioPriority`; config-linux.md, "Memory policy"; their lists in features-linux.md. */
import test from 'ava'
import { CaissonError, Runtime } from '../../ts/index.ts'
import type { RuntimeFeatures } from '../../ts/spec/index.ts'
import { bundle } from '../fixtures/bundle.ts'
import { busybox, needs } from '../fixtures/needs.ts'
import {
  isRoot,
  linux,
  observedRuntime,
  process_,
  requirements,
  uniqueId,
  type Requirement,
} from './requirements.ts'

const { memoryPolicy } = (new Runtime().features() as unknown as RuntimeFeatures).linux!
const invalid = { refused: 'ERR_INVALID_SPEC' } as const
const scheduler = (value: object) => process_({ scheduler: value })
const ioPriority = (value: object) => process_({ ioPriority: value })

/** Nice value, real-time priority and policy: fields 19, 40 and 41 of proc_pid_stat(5). */
const STAT = 'IFS= read -r stat < /proc/$$/stat; set -- ${stat##*) }; echo "${17} ${38} ${39}"'
const scheduled = (
  value: object,
  prints: string | RegExp,
  needed: Requirement['needs'] = [],
): Requirement => ({
  edit: scheduler(value),
  script: STAT,
  prints,
  needs: needed,
})

requirements({
  'the policy SCHED_OTHER': scheduled({ policy: 'SCHED_OTHER', nice: 15 }, '15 0 0'),
  'the policy SCHED_BATCH': scheduled({ policy: 'SCHED_BATCH', nice: 17 }, '17 0 3'),
  'the policy SCHED_IDLE': scheduled({ policy: 'SCHED_IDLE' }, /^-?\d+ 0 5$/),
  'an absent nice value is 0': scheduled({ policy: 'SCHED_OTHER' }, '0 0 0', ['root']),
  'a scheduler without a policy is refused': { edit: scheduler({ nice: 1 }), ...invalid },
  'an unknown policy is refused': { edit: scheduler({ policy: 'SCHED_LUCKY' }), ...invalid },
  'an unknown flag of a scheduler is refused': {
    edit: scheduler({ policy: 'SCHED_OTHER', flags: ['SCHED_FLAG_LUCKY'] }),
    ...invalid,
  },
  'an ioPriority without a class is refused': { edit: ioPriority({ priority: 1 }), ...invalid },
  'an ioPriority of unknown class is refused': { edit: ioPriority({ class: 'BE', priority: 1 }), ...invalid },
  'an ioPriority above 7 is refused': {
    edit: ioPriority({ class: 'IOPRIO_CLASS_BE', priority: 8 }),
    ...invalid,
  },
  'a memory policy without a mode is refused': { edit: linux({ memoryPolicy: { nodes: '0' } }), ...invalid },
  'a memory policy of unknown mode is refused': {
    edit: linux({ memoryPolicy: { mode: 'MPOL_LUCKY' } }),
    ...invalid,
  },
  'the memory policy is that of the configuration': {
    edit: linux({ memoryPolicy: { mode: 'MPOL_BIND', nodes: '0' } }),
    script: 'read -r address policy rest < /proc/self/numa_maps; echo $policy',
    prints: 'bind:0',
  },
})

if (busybox())
  requirements({
    // COMPAT(runc, crun): required, yet both read an absent priority as 0.
    'an absent priority of ioPriority is 0': {
      edit: ioPriority({ class: 'IOPRIO_CLASS_BE' }),
      script: 'busybox ionice -p $$',
      prints: 'best-effort: prio 0',
    },
    'the class and the priority of ioPriority': {
      edit: ioPriority({ class: 'IOPRIO_CLASS_BE', priority: 2 }),
      script: 'busybox ionice -p $$',
      prints: 'best-effort: prio 2',
    },
  })

const create = needs(...(isRoot ? [] : (['userns'] as const)))

/** Recognised is what is not refused as unknown; the kernel may lack it. */
async function isRecognised(value: object): Promise<boolean> {
  const source = { bundle: bundle({ edit: linux({ memoryPolicy: value }) }) }
  try {
    await (await observedRuntime().runtime.create(uniqueId(), source)).delete()
    return true
  } catch (error) {
    return error instanceof CaissonError && error.code === 'ERR_SYSCALL'
  }
}

for (const mode of memoryPolicy!.modes!)
  create(`the listed mode ${mode} of memoryPolicy is recognised`, async (t) => {
    const nodes = ['MPOL_DEFAULT', 'MPOL_LOCAL'].includes(mode) ? {} : { nodes: '0' }
    t.true(await isRecognised({ mode, ...nodes }))
  })

for (const flag of memoryPolicy!.flags!)
  create(`the listed flag ${flag} of memoryPolicy is recognised`, async (t) => {
    t.true(await isRecognised({ mode: 'MPOL_BIND', nodes: '0', flags: [flag] }))
  })

test('modes and flags of memoryPolicy are listed', (t) => {
  t.true(memoryPolicy!.modes!.length >= 7 && memoryPolicy!.flags!.length >= 3)
})
