/** Image names of Docker. */

/** Annotation in which containerd and Docker store the full name. */
export const IMAGE_NAME = 'io.containerd.image.name'

const NAME = /^[a-zA-Z0-9][\w.:-]*(?:\/[\w.-]+)*(?::[\w][\w.-]{0,127})?$/

/**
 * Expands `busybox` to `docker.io/library/busybox:latest`. Undefined for an invalid name.
 *
 * COMPAT(docker): the first component is a registry only if it contains a dot or colon, or is `localhost`.
 */
export function dockerName(text: string): string | undefined {
  if (text.length > 512 || !NAME.test(text)) return undefined
  const slash = text.indexOf('/')
  const first = slash < 0 ? '' : text.slice(0, slash)
  const isRegistry = /[.:]/.test(first) || first === 'localhost'
  const path = isRegistry ? text.slice(slash + 1) : text
  const registry = isRegistry ? first.replace(/^index\.docker\.io$/, 'docker.io') : 'docker.io'
  const library = registry === 'docker.io' && !path.includes('/') ? 'library/' : ''
  const tag = path.includes(':') ? '' : ':latest'
  return `${registry}/${library}${path}${tag}`
}
