/** Signal names and numbers of Linux, real-time signals included. */
import { constants } from 'node:os'
import { CaissonError } from '../../errors.ts'

const SIGRTMIN = 34
const SIGRTMAX = 64
const numbers: Record<string, number> = { ...constants.signals, SIGRTMIN, SIGRTMAX }

/** A number, or a name with or without `SIG`: `9`, `'9'`, `'KILL'`, `'SIGKILL'`, `'SIGRTMIN+3'`. */
export type Signal = NodeJS.Signals | (string & {}) | number

/** The signal's number. Throws `ERR_INVALID_OPTION`. */
export function signalNumber(signal: Signal): number {
  const number = lookUp(signal)
  if (number !== undefined && number >= 0 && number <= SIGRTMAX) return number
  // COMPAT(runc): its sentence.
  throw new CaissonError('ERR_INVALID_OPTION', `unknown signal ${JSON.stringify(String(signal))}`, {
    phase: 'kill',
  })
}

function lookUp(signal: Signal): number | undefined {
  if (typeof signal === 'number') return Number.isInteger(signal) ? signal : undefined
  if (typeof signal !== 'string') return undefined
  if (/^\d+$/.test(signal)) return Number(signal)
  const upper = signal.toUpperCase()
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`
  const realTime = /^SIGRTM(?:IN\+|AX-)(\d+)$/.exec(name)
  if (!realTime) return numbers[name]
  const offset = Number(realTime[1])
  const number = name.startsWith('SIGRTMIN') ? SIGRTMIN + offset : SIGRTMAX - offset
  return number >= SIGRTMIN ? number : undefined
}

/** The name Node uses, `SIGRTMIN+n` for real-time signals. */
export function signalName(number: number): string {
  for (const [name, value] of Object.entries(constants.signals)) if (value === number) return name
  return number === SIGRTMIN
    ? 'SIGRTMIN'
    : number > SIGRTMIN
      ? `SIGRTMIN+${number - SIGRTMIN}`
      : `SIG${number}`
}
