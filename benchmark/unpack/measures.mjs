// What an unpack costs besides time: how long it blocks the event loop, and memory.
import { readFileSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** Kilobytes: the high-water mark of this process since it was last started anew. */
const highWater = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1])

/** Collects over several runs of `work`. */
export class Measures {
  /** Milliseconds, the longest of each run. */
  blocks = []
  /** MiB above what the process had before, of each run. */
  memory = []

  async run(work) {
    globalThis.gc?.()
    writeFileSync('/proc/self/clear_refs', '5') // the high-water mark starts anew (proc(5))
    const before = highWater()
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    await work()
    delay.disable()
    this.blocks.push(delay.max / 1e6 - 1) // a timer of 1 ms is never early
    this.memory.push((highWater() - before) / 1024)
  }
}
