/** `vm` of config.json (config-vm.md): typed, passed through. Paths are absolute, in the runtime's mount namespace. */

/** config-vm.md. */
export interface Vm {
  /** "Hypervisor Object". */
  hypervisor?: { path: string; parameters?: string[] }
  /** "Kernel Object". */
  kernel: { path: string; parameters?: string[]; initrd?: string }
  /** "Image Object": the root of the machine, not of the container. */
  image?: { path: string; format: 'raw' | 'qcow2' | 'vdi' | 'vmdk' | 'vhd' }
  /** "HWConfig Object". */
  hwConfig?: VmHardware
}

/** config-vm.md, "HWConfig Object". */
export interface VmHardware {
  /** Path of the device tree blob. */
  deviceTree?: string
  /** Virtual processors. */
  vcpus?: number
  /** Bytes. */
  memory?: number | bigint
  /** Nodes of the host's device tree. */
  dtdevs?: string[]
  /** Frame numbers and a number of pages. */
  iomems?: { firstGFN?: number | bigint; firstMFN: number | bigint; nrMFNs: number | bigint }[]
  /** Physical interrupts the machine may use. */
  irqs?: number[]
}
