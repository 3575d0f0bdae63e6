/** The log of the command: logrus' two formats, on stderr or in a file (COMPAT(runc): engines read the last line). */
import { constants, openSync, writeSync } from 'node:fs'
import { printError } from './output.ts'

export type Level = 'debug' | 'info' | 'warning' | 'error'

const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants

export interface LogOptions {
  file: string | undefined
  format: 'text' | 'json'
  debug: boolean
}

export class Log {
  readonly #options: LogOptions
  readonly #descriptor: number | undefined

  /**
   * Opens the file at once, so that it exists without a line in it, too: engines read it. Throws Node's error, which is
   * ENXIO for a FIFO without a reader. (runc waits for one forever.)
   */
  constructor(options: LogOptions) {
    this.#options = options
    if (options.file !== undefined) this.#descriptor = openLog(options.file)
  }

  debug(message: string): void {
    if (this.#options.debug) this.#write('debug', message)
  }

  warning(message: string): void {
    this.#write('warning', message)
  }

  /** Goes to the log, and where that is a file also to stderr as it is. */
  error(message: string): void {
    this.#write('error', message)
    if (this.#descriptor !== undefined) printError(`${message}\n`)
  }

  #write(level: Level, message: string): void {
    const { file, format } = this.#options
    const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    const line =
      format === 'json'
        ? JSON.stringify({ level, msg: message, time })
        : `time="${time}" level=${level} msg=${quote(message)}`
    if (this.#descriptor === undefined) return printError(`${line}\n`)
    try {
      for (let rest = Buffer.from(`${line}\n`); rest.length > 0;)
        rest = rest.subarray(writeSync(this.#descriptor, rest))
    } catch (error) {
      printError(`${line}\n(cannot write to the log ${file}: ${(error as Error).message})\n`)
    }
  }
}

/** Neither a FIFO without a reader nor one that is full stops the command. */
function openLog(path: string): number {
  return openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0o644)
}

/** logrus leaves a value without quotes where it has only letters, digits and -._/@^+. */
function quote(text: string): string {
  return /^[\w\-./@^+]+$/.test(text) ? text : JSON.stringify(text)
}
