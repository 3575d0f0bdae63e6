/** Docker's image configuration ("Docker Image Specification v1.2" and what Docker adds). */
import type { ImageConfig, ImageExecution } from '../image/config.ts'

/** What an image of Docker's holds beside the OCI properties. */
export interface DockerImageConfig extends ImageConfig {
  /** As of the OCI image, and what Docker adds. */
  config?: DockerContainerConfig | null
  /** The last container of the build. */
  container?: string
  /** Of the container that the last step of the build made. */
  container_config?: DockerContainerConfig | null
  /** Of the Docker that built it. */
  docker_version?: string
}

/** `config` and `container_config` of Docker's. */
export interface DockerContainerConfig extends ImageExecution {
  /** Of the build; containers get their own. */
  Hostname?: string
  /** As `Hostname`. */
  Domainname?: string
  /** Of the build; without meaning for containers. */
  AttachStdin?: boolean
  /** As `AttachStdin`. */
  AttachStdout?: boolean
  /** As `AttachStdin`. */
  AttachStderr?: boolean
  /** As `AttachStdin`. */
  Tty?: boolean
  /** As `AttachStdin`. */
  OpenStdin?: boolean
  /** As `AttachStdin`. */
  StdinOnce?: boolean
  /** Name or id of the image. */
  Image?: string
  /** Whether containers get no network. */
  NetworkDisabled?: boolean
  /** Of the first interface. */
  MacAddress?: string
  /** Instructions for images built on this one. */
  OnBuild?: string[] | null
  /** Seconds. */
  StopTimeout?: number
  /** Program of the shell form of instructions. */
  Shell?: string[] | null
  /** How to see whether a container is healthy; inherited from the base image where it is left out. */
  Healthcheck?: Healthcheck | null
  /** Bytes; reserved by the OCI specification, as are the next two. */
  Memory?: number
  /** Bytes, memory and swap together. */
  MemorySwap?: number
  /** Relative weight. */
  CpuShares?: number
}

/** How to see whether a container is healthy. Times in nanoseconds; 0 means the default. */
export interface Healthcheck {
  /** `[]`: as the base image, `['NONE']`, `['CMD', …]`, `['CMD-SHELL', command]`. */
  Test?: string[]
  /** Between two checks, nanoseconds. */
  Interval?: number
  /** Of one check, nanoseconds. */
  Timeout?: number
  /** In which failures do not count, nanoseconds. */
  StartPeriod?: number
  /** Between two checks in the start period, nanoseconds. */
  StartInterval?: number
  /** Failures in a row that make it unhealthy. */
  Retries?: number
}
