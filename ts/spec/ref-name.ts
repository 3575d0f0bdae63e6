/** Names of references (annotations.md, `org.opencontainers.image.ref.name`). */

// Components of alphanumerics joined by one of -._:@+ or --, separated by slashes.
const REF_NAME =
  /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$/

/** Whether `text` is a valid `org.opencontainers.image.ref.name`. */
export function isRefName(text: string): boolean {
  return REF_NAME.test(text)
}
