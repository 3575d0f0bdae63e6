// Medians, and rounds in which every contender runs once, in an order that rotates.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * Runs `rounds` rounds of the contenders (`{ name: async () => milliseconds | void }`; the time is taken here when
 * nothing is returned) and returns the samples of each.
 */
export async function interleave(contenders, rounds, warmup = 3) {
  const names = Object.keys(contenders)
  const samples = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = -warmup; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round + names.length * warmup) % names.length]
      const before = performance.now()
      const own = await contenders[name]()
      const elapsed = own ?? performance.now() - before
      if (round >= 0) samples[name].push(elapsed)
    }
  }
  return samples
}

/** Prints one line per contender: median, minimum, and the ratio of our median to its. */
export function report(samples, ours, unit = 'ms') {
  const reference = median(samples[ours])
  for (const [name, values] of Object.entries(samples)) {
    const ratio = name === ours ? '' : `   caisson / ${name} = ${(reference / median(values)).toFixed(2)}`
    const line = `${name.padEnd(24)} ${median(values).toFixed(2).padStart(9)} ${unit}  (min ${Math.min(...values).toFixed(2)})`
    console.log(line + ratio)
  }
}
