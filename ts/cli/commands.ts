/** All verbs, in the order of the help text. */
import type { Command } from './command.ts'
import { create } from './command/create.ts'
import { delete_ } from './command/delete.ts'
import { digest } from './command/digest.ts'
import { features } from './command/features.ts'
import { image } from './command/image/index.ts'
import { kill } from './command/kill.ts'
import { list } from './command/list.ts'
import { plan } from './command/plan.ts'
import { run } from './command/run.ts'
import { spec } from './command/spec.ts'
import { start } from './command/start.ts'
import { state } from './command/state.ts'
import { store } from './command/store.ts'
import { validate } from './command/validate.ts'

export const commands: readonly Command[] = [
  create,
  delete_,
  digest,
  features,
  image,
  kill,
  list,
  plan,
  run,
  spec,
  start,
  state,
  store,
  validate,
]
