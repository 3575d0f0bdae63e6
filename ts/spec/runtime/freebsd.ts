/** `freebsd` of config.json (config-freebsd.md): typed, passed through. */

/** config-freebsd.md. */
export interface FreeBsd {
  /** Shown in the container's devfs(5). */
  devices?: FreeBsdDevice[]
  /** Parameters of jail(8). */
  jail?: FreeBsdJail
}

/** config-freebsd.md, "Devices". */
export interface FreeBsdDevice {
  /** Below /dev. */
  path: string
  /** Decimal: 438 is 0666. */
  mode?: number
}

/** config-freebsd.md, "Jail". */
export interface FreeBsdJail {
  parent?: string
  host?: 'new' | 'inherit'
  ip4?: FreeBsdSharing
  /** Numeric addresses. */
  ip4Addr?: string[]
  ip6?: FreeBsdSharing
  /** Numeric addresses. */
  ip6Addr?: string[]
  vnet?: 'new' | 'inherit'
  /** Gets the addresses while the container runs. */
  interface?: string
  vnetInterfaces?: string[]
  sysvmsg?: FreeBsdSharing
  sysvsem?: FreeBsdSharing
  sysvshm?: FreeBsdSharing
  /** 0 (all mounts are visible) to 2. */
  enforceStatfs?: number
  allow?: FreeBsdAllow
}

export type FreeBsdSharing = 'disable' | 'new' | 'inherit'

/** config-freebsd.md, "Jail", `allow`. */
export interface FreeBsdAllow {
  setHostname?: boolean
  rawSockets?: boolean
  chflags?: boolean
  /** File systems that may be mounted inside. */
  mount?: string[]
  quotas?: boolean
  socketAf?: boolean
  mlock?: boolean
  reservedPorts?: boolean
  suser?: boolean
}
