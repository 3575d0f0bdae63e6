/** `solaris` of config.json (config-solaris.md): typed, passed through. */

/** config-solaris.md; texts as zonecfg(1M) takes them. */
export interface Solaris {
  /** Service that must be online before the program starts. */
  milestone?: string
  /** Privileges at most. */
  limitpriv?: string
  /** Bytes with a suffix, e.g. `512m`. */
  maxShmMemory?: string
  /** "cappedCPU": number of CPUs, e.g. `1.5`. */
  cappedCPU?: { ncpus?: string }
  /** "cappedMemory": bytes with a suffix. */
  cappedMemory?: { physical?: string; swap?: string }
  /** "anet". */
  anet?: SolarisNetwork[]
}

/** config-solaris.md, "anet". */
export interface SolarisNetwork {
  /** Of the virtual interface. */
  linkname?: string
  /** What it is made over; `auto` chooses. */
  lowerLink?: string
  /** Addresses it may use, separated by commas. */
  allowedAddress?: string
  /** `true`: they are configured at each start. */
  configureAllowedAddress?: string
  /** Default router. */
  defrouter?: string
  /** An address, or `auto`, `random`, …. */
  macAddress?: string
  /** Kinds of protection, separated by commas. */
  linkProtection?: string
}
