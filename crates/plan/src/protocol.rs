//! Messages between the addon and `caisson-init`. Every message is one datagram of a SEQPACKET socket: the kernel keeps
//! the frames, so no length of ours can lie (CVE-2021-43784 was such a length). Encoded by postcard, at most
//! [`MAX_MESSAGE`] bytes; anything that does not decode exactly is an error.

use std::ffi::CStr;

use caisson_code::{Code, Phase};
use caisson_flags::Namespaces;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Device, IdMap};

/// Descriptor numbers of `caisson-init`: of the guard (which has 0 to 4) and of a container's first process.
pub mod fd {
    pub const CONTROL: i32 = 3;
    /// The guard's: pidfd of the process that it serves and watches.
    pub const CALLER: i32 = 4;
    /// Sealed memfd with the encoded [`Plan`](crate::Plan).
    pub const PLAN: i32 = 4;
    /// Listening SEQPACKET socket: a peer that sends [`StartRequest`](super::StartRequest) starts the
    /// container.
    pub const START: i32 = 5;
    /// First preserved descriptor; it becomes 3 in the program.
    pub const PRESERVED: i32 = 6;
}

pub const MAX_MESSAGE: usize = 64 * 1024;

/// helper → addon, on the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// A second clone replaced the helper: the pid in the helper's own pid namespace view of the parent; a pidfd
    /// comes along (SCM_RIGHTS).
    Replaced {
        pid: i32,
    },
    /// All namespaces exist or are joined: the parent runs prestart and createRuntime hooks, then sends `Proceed`.
    NamespacesReady,
    /// The pty master comes along (SCM_RIGHTS).
    Console,
    Warning(String),
    /// Everything but exec is done.
    Created,
    Failed(Failure),
    /// Answer to [`Command::Start`]; then end of file means that exec succeeded.
    Starting,
    /// The filter takes force now, and nothing follows: see [`Execution`].
    Executing(Execution),
    StartFailed(Failure),
}

/// addon → helper, on the control socket. End of file instead of a command means: the caller is gone, exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Control groups are made / user namespace maps are written / runtime hooks have passed.
    Proceed,
    /// What [`StartRequest`] is for all other processes.
    Start(Start),
}

/// Sent by the starter on a connection to the start socket. A connection that closes without it changes nothing
/// (that is how the status of a created container is probed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartRequest {
    Start(Start),
}

/// A request to start. Where calls are notified, the connection to the agent comes along that gets the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Of the container's first process, as the sender sees it; for the agent.
    pub pid: i32,
}

/// execve(2) behind a filter. A page of memory comes along: after end of file it holds the errno of an execve that
/// failed (a native 32-bit integer), because no system call is certain to be allowed that could report it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    pub path: String,
    /// As strace would print them.
    pub arguments: String,
}

/// helper → starter. `Starting` comes first; then end of file means that exec succeeded.
/// End of file without `Starting`: another process has started the container before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartReply {
    Starting,
    Executing(Execution),
    Failed(Failure),
}

/// addon → guard. Descriptors come along where noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GuardRequest {
    /// Clones a container's first process; answered. With its descriptors in the order of their numbers: stdin, stdout,
    /// stderr, control, plan, start, preserved ones; then, where `in_cgroup`, the version 2 directory to be born in.
    Spawn {
        token: u64,
        /// Of the first clone.
        namespaces: Namespaces,
        maps: MapsFollow,
        /// It may send a [`HostRequest`].
        asks: bool,
        in_cgroup: bool,
        /// What is to be killed and removed when the caller dies; `None`: detached.
        attached: Option<CleanupTargets>,
    },
    /// The container was deleted, or was never made.
    Forget { token: u64 },
}

/// Who will write the id maps of the process that is cloned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MapsFollow {
    /// Nobody: it has no new user namespace.
    No,
    /// A caller who may write files of root: the process is closed to its user from the start, and may ask the guard
    /// for paths.
    ByRoot,
    /// Its own user, to whom it must not be closed before.
    ByOwner,
}

/// All that there is of a container outside of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanupTargets {
    pub state_directory: String,
    pub cgroup_directories: Vec<String>,
    /// Root file system, and the mounts in it that were there before the container; `None`: what the container mounts
    /// ends with its mount namespace.
    pub root: String,
    pub mounts_before: Option<Vec<u64>>,
    pub resctrl_directories: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GuardReply {
    /// With the pidfd.
    Spawned { token: u64, pid: i32 },
    /// The clone failed, as strace would print it.
    Refused { token: u64, arguments: String, errno: i32 },
}

/// First process → guard, on a socket of their own that follows the preserved descriptors: what only the caller may
/// reach or make. The process's mount namespace comes along, then its user namespace. Each is answered by one
/// [`HostReply`], [`Open`](Self::Open) by one for each path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostRequest {
    /// Host paths, each with whether a link in its last component is followed: O_PATH descriptors.
    Open(Vec<(String, bool)>),
    /// What is mounted at a host path, as a detached tree on which owners are mapped.
    MapOwners {
        path: String,
        follow: bool,
        /// With the mounts below.
        recursive: bool,
        map: IdMap,
    },
    /// A device node with these owners outside, on a file system of its own: a detached mount of it.
    Node { device: Device, uid: u32, gid: u32 },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostReply {
    /// The descriptor comes along.
    Done,
    Failed(Failure),
}

/// `argv[0]` of the helper, which alone makes it the guard.
pub const NAME: &CStr = c"caisson-init";

/// First argument of the helper that makes it the owner of files: see [`OwnerRequest`].
pub const OWNER: &CStr = c"owner";

/// addon → owner, which unshares a user namespace first and says [`OwnerReply::Ready`]. One file, whose descriptor
/// comes along; answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnerRequest {
    /// Gives the file away.
    Give {
        /// As inside the namespace.
        uid: u32,
        gid: u32,
        /// To be set again: a change of owner takes set-id bits away.
        mode: Option<u32>,
        /// Value of `security.capability`.
        capability: Option<Vec<u8>>,
    },
    /// Opens what is at `path` below the directory, over no link: [`OwnerReply::Opened`].
    Open { path: Vec<u8>, opening: Opening },
    /// Reads an extended attribute: [`OwnerReply::Value`].
    Attribute { name: Vec<u8> },
}

/// What is opened, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opening {
    /// Anything, a link too, to look at it (O_PATH).
    Handle,
    /// A directory, to list it.
    Directory,
    /// A file, to read it. A FIFO does not block.
    File,
}

/// Longest [`OwnerReply`]: a value has 64 KiB at most (XATTR_SIZE_MAX).
pub const MAX_OWNER_REPLY: usize = MAX_MESSAGE + 64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnerReply {
    /// There is a namespace; its maps are to be written now.
    Ready,
    Done,
    /// The descriptor comes along.
    Opened,
    Value(Vec<u8>),
    Failed {
        call: String,
        errno: i32,
    },
}

/// One failure, as strace would print it: what was being done, which call, on what, which errno.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub code: Code,
    /// `spawn`, `setup`, `hook` or `start`.
    pub phase: Phase,
    /// One line: what failed, on what, why.
    pub message: String,
    pub syscall: Option<String>,
    /// errno number; 0 = none.
    pub errno: i32,
    pub path: Option<String>,
    pub hint: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("a message does not decode: {0}")]
    Malformed(#[from] postcard::Error),
    #[error("{0} bytes follow the end of a message")]
    Trailing(usize),
}

/// Encodes one message (or a plan: plans travel in a memfd and are not bound by [`MAX_MESSAGE`]).
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    Ok(postcard::to_stdvec(value)?)
}

/// Decodes exactly one value; bytes left over are an error.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (value, rest) = postcard::take_from_bytes(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(CodecError::Trailing(rest.len())) }
}
