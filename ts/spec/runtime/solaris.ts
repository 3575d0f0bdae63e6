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
  linkname?: string
  lowerLink?: string
  allowedAddress?: string
  configureAllowedAddress?: string
  defrouter?: string
  macAddress?: string
  linkProtection?: string
}
