/** config.md, "Specification version", "Root", "Hostname", "Annotations" and "Extensibility". */
import { join } from 'node:path'
import { rootfs } from '../fixtures/rootfs.ts'
import { requirements, top, type Requirement } from './requirements.ts'

const version = (ociVersion: string, expected: Partial<Requirement>): Requirement => ({
  edit: top({ ociVersion }),
  ...expected,
})
const runs: Partial<Requirement> = { script: 'echo ran', prints: 'ran' }
const invalid: Partial<Requirement> = { refused: 'ERR_INVALID_SPEC' }

requirements({
  // Specification version
  'the version 1.0.0 is accepted': version('1.0.0', runs),
  'the version 1.3.0 is accepted': version('1.3.0', runs),
  'a later version of the same major is accepted': version('1.99.3', runs),
  'a version with prerelease and build is accepted': version('1.2.0-rc.1+build.5', runs),
  'a version that is not SemVer is refused': version('1.x.0', invalid),
  'a version of one number is refused': version('1', invalid),
  'an empty version is refused': version('', invalid),
  'a missing version is refused': {
    edit: (spec) => void delete (spec as object as Record<string, unknown>)['ociVersion'],
    ...invalid,
  },
  'a version of another major is refused': version('2.0.0', invalid),

  // Root
  'a missing root is refused': { edit: (spec) => void delete spec.root, ...invalid },
  'a missing path of the root is refused': { edit: top({ root: {} }), ...invalid },
  'a root that is not there is refused': {
    edit: top({ root: { path: '/no/such/root' } }),
    refused: 'ERR_INVALID_BUNDLE',
  },
  'a root that is a file is refused': {
    edit: top({ root: { path: join(rootfs(), 'etc/passwd') } }),
    refused: 'ERR_INVALID_BUNDLE',
  },
  'a read-only root cannot be written': {
    edit: (spec) => void (spec.root!.readonly = true),
    script: 'touch /file 2>/dev/null || echo refused; touch /bin/file 2>/dev/null || echo refused',
    prints: 'refused\nrefused',
  },
  'a root is writable unless readonly says otherwise': {
    edit: (spec) => void delete spec.root!.readonly,
    script: 'touch /conformance && rm /conformance && echo written',
    prints: 'written',
  },
  'the root is where the bundle says': {
    script: 'cat /etc/passwd | head -n 1',
    prints: 'root:x:0:0:root:/root:/bin/sh',
  },

  // Hostname and domainname
  'hostname is the host name': {
    edit: top({ hostname: 'con.formance' }),
    args: ['hostname'],
    prints: 'con.formance',
  },
  'domainname is the NIS domain name': {
    edit: top({ domainname: 'example.test' }),
    args: ['cat', '/proc/sys/kernel/domainname'],
    prints: 'example.test',
  },
  'a sysctl that says the same as domainname': {
    edit: (spec) => {
      spec.domainname = 'example.test'
      spec.linux!.sysctl = { 'kernel.domainname': 'example.test' }
    },
    args: ['cat', '/proc/sys/kernel/domainname'],
    prints: 'example.test',
    needs: ['root'], // the file belongs to the initial user namespace
  },

  // Annotations and extensibility
  'an annotation with an empty key is refused': { edit: top({ annotations: { '': 'value' } }), ...invalid },
  'an annotation whose value is not a string is refused': {
    edit: top({ annotations: { key: 1 } }),
    ...invalid,
  },
  'annotations that are not a map are refused': { edit: top({ annotations: ['key'] }), ...invalid },
  'an unknown annotation is ignored': { edit: top({ annotations: { 'com.example.unknown': 'x' } }), ...runs },
  'unknown properties are ignored at every level': {
    edit: (spec) => {
      for (const object of [
        spec,
        spec.process!,
        spec.process!.user!,
        spec.root!,
        spec.linux!,
        ...spec.mounts!,
      ])
        Object.assign(object, { 'x-unknown': { of: ['any', 'kind'] } })
    },
    ...runs,
  },
  'properties of other platforms are ignored': {
    edit: top({ vm: { kernel: { path: '/vmlinuz' } }, solaris: {}, zos: {} }),
    ...runs,
  },
  'an invalid value of a known property is refused': { edit: top({ hostname: 7 }), ...invalid },
})
