/** Generated from crates/code/src/lib.rs by `npm run generate`; a test of that crate compares. */

/** Stable error codes: docs/errors.md. */
export type ErrorCode =
  /** The container is not in a state in which this can be done. */
  | 'ERR_INVALID_STATE'
  /** The id, file or directory exists. */
  | 'ERR_EXISTS'
  /** No such container, snapshot, file or directory. */
  | 'ERR_NOT_FOUND'
  /** Another user owns a state directory or may write to it. */
  | 'ERR_STATE_UNSAFE'
  /** The state of a container cannot be read. */
  | 'ERR_STATE_DAMAGED'
  /** The state of a container is of a later version. */
  | 'ERR_STATE_VERSION'
  /** A limit of time was exceeded. */
  | 'ERR_TIMEOUT'
  /** A hook failed. */
  | 'ERR_HOOK'
  /** A configuration is invalid. */
  | 'ERR_INVALID_SPEC'
  /** An option is invalid. */
  | 'ERR_INVALID_OPTION'
  /** A container id is invalid. */
  | 'ERR_INVALID_ID'
  /** A configuration is valid and asks for what is not implemented or what this host lacks. */
  | 'ERR_UNSUPPORTED_SPEC'
  /** A bundle or its root file system is missing or unusable. */
  | 'ERR_INVALID_BUNDLE'
  /** User namespaces are denied. */
  | 'ERR_USERNS_DENIED'
  /** A control group or controller is missing or denied. */
  | 'ERR_CGROUP_UNAVAILABLE'
  /** Overlays cannot be mounted. */
  | 'ERR_OVERLAY_UNAVAILABLE'
  /** The kernel lacks a system call. */
  | 'ERR_KERNEL_TOO_OLD'
  /** `caisson-init` is missing. */
  | 'ERR_HELPER_MISSING'
  /** The addon is missing. */
  | 'ERR_BINDING_MISSING'
  /** Not Linux, or an architecture without a package. */
  | 'ERR_PLATFORM'
  /** A path leads through a link or to another file than expected: another user could decide where it leads. */
  | 'ERR_UNSAFE_PATH'
  /** A system call failed: `syscall` and `errno` say which and why. */
  | 'ERR_SYSCALL'
  /** A process or thread of this package was killed, or broke its protocol. */
  | 'ERR_INTERNAL'
  /** No such image. */
  | 'ERR_IMAGE_NOT_FOUND'
  /** A blob is missing. */
  | 'ERR_BLOB_NOT_FOUND'
  /** A document of an image is invalid. */
  | 'ERR_INVALID_IMAGE'
  /** An image of a kind that is not supported. */
  | 'ERR_UNSUPPORTED_IMAGE'
  /** Content does not have its digest. */
  | 'ERR_DIGEST_MISMATCH'
  /** Content does not have its size. */
  | 'ERR_SIZE_MISMATCH'
  /** A layer asks for what is never granted. */
  | 'ERR_LAYER_UNSAFE'
  /** A layer is not a tar archive, or is damaged. */
  | 'ERR_LAYER_INVALID'
  /** More bytes, entries or depth than a limit allows. */
  | 'ERR_LIMIT_EXCEEDED'
  /** A file or tree changed while it was read. */
  | 'ERR_CHANGED'
  /** A digest is malformed. */
  | 'ERR_INVALID_DIGEST'
  /** A digest algorithm is not supported. */
  | 'ERR_UNSUPPORTED_DIGEST'
  /** A digest is not in a set. */
  | 'ERR_DIGEST_NOT_FOUND'
  /** A short digest has several meanings. */
  | 'ERR_DIGEST_AMBIGUOUS'
  /** A program exited with a status other than 0. */
  | 'ERR_EXIT'
  /** A signal ended a program. */
  | 'ERR_SIGNAL'
  /** The memory limit ended a program. */
  | 'ERR_OOM'
  /** A stream of the caller failed. */
  | 'ERR_STREAM'
  /** The program does not exist. */
  | 'ERR_EXEC_NOT_FOUND'
  /** The program cannot be executed. */
  | 'ERR_EXEC_DENIED'

/** Where in the life of a container or image an error arose. */
export type Phase =
  | 'validate'
  | 'resolve'
  | 'unpack'
  | 'write'
  | 'prepare'
  | 'cgroup'
  | 'spawn'
  | 'setup'
  | 'hook'
  | 'start'
  | 'wait'
  | 'kill'
  | 'delete'
