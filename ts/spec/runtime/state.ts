/** The state of a container (runtime.md, "State"): what `state` prints and hooks read. */

/** runtime.md, "State". */
export interface RuntimeState {
  /** SemVer of the specification the state follows. */
  ociVersion: string
  /** Unique on the host. */
  id: string
  /** Runtimes may have more values; `paused` is usual. */
  status: 'creating' | 'created' | 'running' | 'stopped' | (string & {})
  /** As the host sees it; required on Linux while created or running. */
  pid?: number
  /** Absolute path of the bundle. */
  bundle: string
  /** Those of config.json. */
  annotations?: Record<string, string>
  /** Runtimes add their own. */
  [property: string]: unknown
}
