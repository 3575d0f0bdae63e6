/** Documents that are valid, to be changed one thing at a time. */
import type { ImageConfig, ImageIndex, ImageManifest, RuntimeSpec } from '../../ts/spec/index.ts'

export type Change = (document: any) => void

/** A config.json with every section that Linux has, which caisson would run. */
export function runtimeBase(): RuntimeSpec {
  return {
    ociVersion: '1.3.0',
    root: { path: 'rootfs', readonly: true },
    process: {
      user: { uid: 0, gid: 0, umask: 18, additionalGids: [5] },
      args: ['sh'],
      env: ['PATH=/bin'],
      cwd: '/',
      capabilities: { bounding: ['CAP_KILL'], permitted: ['CAP_KILL'], effective: ['CAP_KILL'] },
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 1024 }],
      oomScoreAdj: 0,
      scheduler: { policy: 'SCHED_BATCH', nice: 5, flags: ['SCHED_FLAG_RESET_ON_FORK'] },
      ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 4 },
      execCPUAffinity: { initial: '0', final: '0-1' },
    },
    hostname: 'web',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/data', type: 'bind', source: '/srv', options: ['rbind', 'ro'] },
    ],
    hooks: { createRuntime: [{ path: '/bin/true', args: ['true'], timeout: 3 }] },
    annotations: { 'com.example.key': 'value' },
    linux: {
      namespaces: [
        { type: 'pid' },
        { type: 'network' },
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'mount' },
        { type: 'cgroup' },
        { type: 'user' },
        { type: 'time' },
      ],
      uidMappings: [{ containerID: 0, hostID: 1000, size: 10 }],
      gidMappings: [{ containerID: 0, hostID: 1000, size: 10 }],
      timeOffsets: { monotonic: { secs: 60, nanosecs: 1 } },
      devices: [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 438 }],
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        memory: { limit: 1 << 30, swap: 1 << 30 },
        cpu: { shares: 1024, quota: 50_000, burst: 10_000, period: 100_000, cpus: '0-1' },
        pids: { limit: 100 },
      },
      seccomp: {
        defaultAction: 'SCMP_ACT_ERRNO',
        defaultErrnoRet: 1,
        architectures: ['SCMP_ARCH_X86_64'],
        syscalls: [
          {
            names: ['read', 'write'],
            action: 'SCMP_ACT_ALLOW',
            args: [{ index: 0, value: 18446744073709551615n, op: 'SCMP_CMP_EQ' }],
          },
        ],
      },
      sysctl: { 'net.ipv4.ip_forward': '1' },
      netDevices: { veth7: { name: 'eth%d' } },
      memoryPolicy: { mode: 'MPOL_PREFERRED', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] },
      personality: { domain: 'LINUX' },
      maskedPaths: ['/proc/kcore'],
      readonlyPaths: ['/proc/sys'],
    },
  }
}

export const DIGEST: string = `sha256:${'a'.repeat(64)}`
const OTHER = `sha256:${'b'.repeat(64)}`

export function manifestBase(): ImageManifest {
  return {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: DIGEST, size: 7023 },
    layers: [
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest: OTHER,
        size: 32654,
        urls: ['https://example.com/layer'],
        annotations: { key: '' },
      },
    ],
    annotations: { 'com.example.key': 'value' },
  }
}

export function indexBase(): ImageIndex {
  return {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: DIGEST,
        size: 7143,
        platform: { architecture: 'arm64', os: 'linux', variant: 'v8' },
        annotations: { 'org.opencontainers.image.ref.name': 'v1.0' },
      },
    ],
  }
}

export function configBase(): ImageConfig {
  return {
    created: '2015-10-31T22:22:56.015925234Z',
    architecture: 'amd64',
    os: 'linux',
    config: {
      User: 'alice',
      ExposedPorts: { '8080/tcp': {} },
      Env: ['PATH=/bin', 'EMPTY=', 'LINES=a\nb'],
      Entrypoint: ['/bin/app'],
      Cmd: ['--serve'],
      Volumes: { '/var/data': {} },
      WorkingDir: '/home',
      Labels: { 'com.example': 'x' },
      StopSignal: 'SIGRTMIN+3',
    },
    rootfs: { type: 'layers', diff_ids: [DIGEST, OTHER] },
    history: [
      { created: '2015-10-31T22:22:54.690851953Z', created_by: 'ADD file' },
      { created_by: 'CMD', empty_layer: true },
      { created_by: 'RUN' },
    ],
  }
}
