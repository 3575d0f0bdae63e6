/** Docker's image configuration ("Docker Image Specification v1.2" and Docker's extensions). */
import type { ImageConfig, ImageExecution } from '../image/config.ts'

/** A Docker image's properties in addition to those of OCI. */
export interface DockerImageConfig extends ImageConfig {
  /** Properties of OCI and Docker's extensions. */
  config?: DockerContainerConfig | null
  /** The last container of the build. */
  container?: string
  /** Configuration of the container of the last build step. */
  container_config?: DockerContainerConfig | null
  /** Version of Docker that built it. */
  docker_version?: string
}

/** `config` and `container_config` of Docker. */
export interface DockerContainerConfig extends ImageExecution {
  /** Of the build; containers get their own. */
  Hostname?: string
  /** As `Hostname`. */
  Domainname?: string
  /** Of the build; meaningless for containers. */
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
  /** How to check the health of a container; inherited from the base image if absent. */
  Healthcheck?: Healthcheck | null
  /** Bytes; reserved by the OCI specification, as are the next two. */
  Memory?: number
  /** Bytes, memory and swap together. */
  MemorySwap?: number
  /** Relative weight. */
  CpuShares?: number
}

/** How to check the health of a container. Times in nanoseconds; 0 means the default. */
export interface Healthcheck {
  /** `[]`: as the base image, `['NONE']`, `['CMD', …]`, `['CMD-SHELL', command]`. */
  Test?: string[]
  /** Interval between two checks, in nanoseconds. */
  Interval?: number
  /** Time limit of one check, in nanoseconds. */
  Timeout?: number
  /** Period in which failures do not count, in nanoseconds. */
  StartPeriod?: number
  /** Interval between two checks in the start period, in nanoseconds. */
  StartInterval?: number
  /** Consecutive failures until the container is unhealthy. */
  Retries?: number
}
