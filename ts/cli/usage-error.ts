/** The command was called wrongly. */
export class UsageError extends Error {
  /** Whether the usage text goes with it. */
  readonly showUsage: boolean

  constructor(message: string, showUsage = true) {
    super(message)
    this.showUsage = showUsage
  }
}
