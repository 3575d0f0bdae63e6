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
  /** Name of the jail around it. */
  parent?: string
  /** Whether names and ids of the host are its own. */
  host?: 'new' | 'inherit'
  /** Addresses of IPv4: none, its own, or the parent's. */
  ip4?: FreeBsdSharing
  /** Numeric addresses. */
  ip4Addr?: string[]
  /** As `ip4`. */
  ip6?: FreeBsdSharing
  /** Numeric addresses. */
  ip6Addr?: string[]
  /** Whether it has a network stack of its own. */
  vnet?: 'new' | 'inherit'
  /** Gets the addresses while the container runs. */
  interface?: string
  /** Moved into that stack. */
  vnetInterfaces?: string[]
  /** System V messages. */
  sysvmsg?: FreeBsdSharing
  /** System V semaphores. */
  sysvsem?: FreeBsdSharing
  /** System V shared memory. */
  sysvshm?: FreeBsdSharing
  /** 0 (all mounts are visible) to 2. */
  enforceStatfs?: number
  /** What is forbidden by default. */
  allow?: FreeBsdAllow
}

export type FreeBsdSharing = 'disable' | 'new' | 'inherit'

/** config-freebsd.md, "Jail", `allow`. */
export interface FreeBsdAllow {
  /** Changing the host name. */
  setHostname?: boolean
  /** ping(8) and its like. */
  rawSockets?: boolean
  /** Flags of files. */
  chflags?: boolean
  /** File systems that may be mounted inside. */
  mount?: string[]
  /** Changing quotas. */
  quotas?: boolean
  /** Address families beside IPv4, IPv6, unix and route. */
  socketAf?: boolean
  /** mlock(2). */
  mlock?: boolean
  /** Ports below 1024. */
  reservedPorts?: boolean
  /** Whether root is the super-user. */
  suser?: boolean
}
