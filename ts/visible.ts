/** Text from images, containers and file names, for a terminal. */

/** Controls (C0, DEL, C1), separators of lines, and formats that turn the direction of writing around. */
const INVISIBLE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

/**
 * Escapes control characters but newline and tab as JSON does (`\u001b`), so that JSON stays the same value.
 * SECURITY: a terminal obeys them: a tag could rewrite what is on the screen, or type for the user.
 */
export function visible(text: string): string {
  return text.replace(INVISIBLE, (character) => {
    if (character === '\n' || character === '\t') return character
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/**
 * The same for a message: a newline is escaped, too.
 * SECURITY: output of a hook or a program could look like a line of its own in a log.
 */
export function visibleLine(text: string): string {
  return visible(text).replaceAll('\n', String.raw`\n`)
}
