/** What goes to stderr, in sha256sum's sentences. */
import { getSystemErrorMap } from 'node:util'
import { CaissonError } from '../../index.ts'
import { printError } from '../output.ts'

const PROGRAM = 'caisson digest'

export function complain(sentence: string): void {
  printError(`${PROGRAM}: ${sentence}\n`)
}

/** `FILE: No such file or directory`. Rethrows anything but a failure of a file. */
export function complainOf(file: string, error: unknown): void {
  if (!(error instanceof CaissonError) || error.errno === undefined) throw error
  complain(`${quoted(file)}: ${sentence(error.errno)}`)
}

/** A name as a shell would take it, where it has anything but plain characters. COMPAT(sha256sum) */
export function quoted(name: string): string {
  if (/^[\w./,:+@%^-][\w./,:+@%^=~#-]*$/.test(name)) return name
  if (name.includes("'") && !/["$`\\!\n\r\t]/.test(name)) return `"${name}"`
  const word = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
  return word(name).replace(/[\n\r\t]+/g, (ends) => `'$${JSON.stringify(ends).replaceAll('"', "'")}'`)
}

/** The C library's words where libuv has others. */
const WORDS: Readonly<Record<string, string>> = {
  EISDIR: 'Is a directory',
  ELOOP: 'Too many levels of symbolic links',
  EBADF: 'Bad file descriptor',
  EIO: 'Input/output error',
  EMFILE: 'Too many open files',
  ENAMETOOLONG: 'File name too long',
  ENXIO: 'No such device or address',
}

function sentence(errno: string): string {
  const known = [...getSystemErrorMap().values()].find(([name]) => name === errno)?.[1]
  return WORDS[errno] ?? (known ? known[0]!.toUpperCase() + known.slice(1) : errno)
}
