/** `windows` of config.json (config-windows.md): typed, passed through. */

/** config-windows.md. */
export interface Windows {
  /** From the topmost to the base, the scratch one last; at least one. */
  layerFolders: string[]
  /** "Devices". */
  devices?: WindowsDevice[]
  /** "Resources". */
  resources?: WindowsResources
  /** "Network". */
  network?: WindowsNetwork
  /** Of a group managed service account ("Credential Spec"). */
  credentialSpec?: object
  /** For the last container of a servicing operation ("Servicing"). */
  servicing?: boolean
  /** "IgnoreFlushesDuringBoot". */
  ignoreFlushesDuringBoot?: boolean
  /** Present: run in a virtual machine ("HyperV"). */
  hyperv?: { utilityVMPath?: string }
}

/** config-windows.md, "Devices". */
export interface WindowsDevice {
  /** A GUID. */
  id: string
  /** `id` is the GUID of an interface class. */
  idType: 'class'
}

/** config-windows.md, "Resources". */
export interface WindowsResources {
  /** Bytes. */
  memory?: { limit?: number | bigint }
  /** "CPU". */
  cpu?: WindowsCpu
  /** "Storage", of the system drive. */
  storage?: WindowsStorage
}

/** config-windows.md, "CPU". */
export interface WindowsCpu {
  /** CPUs. */
  count?: number | bigint
  /** 0 to 10000, relative. */
  shares?: number
  /** Percent times 100. */
  maximum?: number
  /** Processors of each group. */
  affinity?: { mask: number | bigint; group: number }[]
}

/** config-windows.md, "Storage". */
export interface WindowsStorage {
  /** Operations per second. */
  iops?: number | bigint
  /** Bytes per second. */
  bps?: number | bigint
  /** Bytes. */
  sandboxSize?: number | bigint
}

/** config-windows.md, "Network". */
export interface WindowsNetwork {
  /** Of the Host Network Service. */
  endpointList?: string[]
  /** Names without a dot are asked for, too. */
  allowUnqualifiedDNSQuery?: boolean
  /** Suffixes. */
  DNSSearchList?: string[]
  /** Id of the container whose network is shared. */
  networkSharedContainerName?: string
  /** Id; excludes every other property. */
  networkNamespace?: string
}
