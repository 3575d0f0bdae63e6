/** Devices and rules for them. */
import { all, device, edit, linux, mounts, resources, type Table } from './edit.ts'

const DENY = { allow: false, access: 'rwm' }
const rules = (...added: object[]) => resources({ devices: [DENY, ...added] })

export const devices: Table = {
  'a device with owner and mode': device('/dev/own'),
  'a device in a directory of its own': device('/dev/sub/own'),
  'a device outside of /dev': {
    ...all(
      mounts({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] }),
      device('/tmp/sub/own'),
    ),
    places: ['/tmp/sub/own'],
  },
  'a device without a mode': device('/dev/plain', { fileMode: undefined, uid: undefined, gid: undefined }),
  'a device without an owner': device('/dev/plain', { uid: undefined, gid: undefined }),
  'a device without rights': device('/dev/none', { fileMode: 0 }),
  'a mode with the type of the file': device('/dev/typed', { fileMode: 0o20640 }),
  'a device of type u': device('/dev/unbuffered', { type: 'u' }),
  'a block device': device('/dev/block', { type: 'b', major: 7, minor: 200 }),
  'a FIFO': device('/dev/fifo', { type: 'p', major: undefined, minor: undefined }),
  'two devices': {
    ...linux({
      devices: [
        { path: '/dev/one', type: 'c', major: 1, minor: 3, fileMode: 0o666 },
        { path: '/dev/two', type: 'c', major: 1, minor: 3, fileMode: 0o600 },
      ],
    }),
    places: ['/dev/one', '/dev/two'],
  },
  'a default device listed': device('/dev/null', { minor: 3, fileMode: 0o606, uid: 0, gid: 0 }),
  'a device of unknown type': device('/dev/x', { type: 'x' }),
  'device rules': rules(
    { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' },
    { allow: true, type: 'b', major: 8, access: 'r' },
  ),
  'device rules for all of a kind': rules(
    { allow: true, type: 'c', access: 'r' },
    { allow: true, type: 'b', access: 'm' },
  ),
  'device rules that allow all': resources({ devices: [{ allow: true, access: 'rwm' }] }),
  'device rules that take back': rules(
    { allow: true, type: 'c', major: 10, minor: 229, access: 'rwm' },
    { allow: false, type: 'c', major: 10, minor: 229, access: 'w' },
  ),
  'no device rules': edit((spec) => void delete spec.linux!.resources),
  'empty device rules': resources({ devices: [] }),
}
