//! Requests to the engine and its replies, as in docs/internal/native-face.md.

use std::path::PathBuf;

pub use caisson_state::ImageOrigin;
use caisson_sys::pidfd::Exit;
pub use caisson_sys::seccomp::{Answer, Notification};

use crate::Failure;

/// Number of a container within an engine.
pub type Handle = u64;
/// Number of a request within an engine.
pub type Token = u32;

/// One of the three standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio {
    Null,
    Pipe,
    /// A descriptor of the caller, duplicated at once.
    Descriptor(i32),
}

#[derive(Debug, Clone)]
pub struct CreateRequest {
    pub id: String,
    pub root: PathBuf,
    pub bundle: PathBuf,
    pub config: Option<String>,
    pub stdio: [Stdio; 3],
    pub attached: bool,
    pub pivot: bool,
    pub new_keyring: bool,
    pub preserve_fds: u32,
    pub rootless: Option<bool>,
    pub cgroup_disabled: bool,
    /// A label without its security module is a warning, not an error.
    pub may_miss_security_module: bool,
    pub console_socket: Option<String>,
    pub overlay: Option<OverlayRequest>,
    pub image: Option<ImageOrigin>,
    pub directory: Option<String>,
    /// System calls that the profile notifies become [`Event::SystemCall`].
    pub answers_system_calls: bool,
}

/// A root file system from the layers of a store, in place of `root.path`.
#[derive(Debug, Clone)]
pub struct OverlayRequest {
    pub store: PathBuf,
    /// Layer directories below `store`, top first.
    pub lower: Vec<String>,
    /// Directory below `store` that belongs to this container and is removed with it.
    pub container: String,
    /// The container writes to a tmpfs instead of `container`.
    pub tmpfs: bool,
    pub tmpfs_size: Option<u64>,
    pub volatile: bool,
}

#[derive(Debug, Clone)]
pub struct DestroyRequest {
    pub root: PathBuf,
    pub id: String,
    pub force: bool,
}

/// The receiver of the reply owns the descriptors.
#[derive(Debug, Default)]
pub struct Created {
    pub handle: Handle,
    pub pid: i32,
    pub start_time: u64,
    pub stdin: Option<std::os::fd::OwnedFd>,
    pub stdout: Option<std::os::fd::OwnedFd>,
    pub stderr: Option<std::os::fd::OwnedFd>,
    pub console: Option<std::os::fd::OwnedFd>,
    pub warnings: Vec<String>,
}

#[derive(Debug)]
pub enum Reply {
    Created(Created),
    Started,
    Destroyed {
        /// Failures of poststop hooks.
        warnings: Vec<String>,
    },
    Watching(Handle),
    /// Memory of a container's process.
    Memory(Vec<u8>),
    /// A proxied terminal has ended.
    Ended,
}

#[derive(Debug)]
pub enum Event {
    Reply {
        token: Token,
        result: Result<Reply, Failure>,
    },
    /// A process of a container waits for an answer to a system call.
    SystemCall {
        handle: Handle,
        call: Notification,
    },
    /// The first process of a container has ended.
    Exit {
        handle: Handle,
        /// `None` if the kernel cannot tell.
        exit: Option<Exit>,
        oom_killed: bool,
    },
}
