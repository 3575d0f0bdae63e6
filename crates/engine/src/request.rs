//! What is asked of the engine and what it answers; the shapes of docs/internal/native-face.md.

use std::path::PathBuf;

pub use caisson_state::ImageOrigin;
use caisson_sys::pidfd::Exit;

use crate::Failure;

/// Number of one container within one engine.
pub type Handle = u64;
/// Number of one request within one engine.
pub type Token = u32;

/// One of the three standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio {
    Null,
    Pipe,
    /// A descriptor of the caller's, duplicated at once.
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
    pub console_socket: Option<String>,
    pub overlay: Option<OverlayRequest>,
    pub image: Option<ImageOrigin>,
    pub directory: Option<String>,
}

/// The root file system from the layers of a store, in place of `root.path`.
#[derive(Debug, Clone)]
pub struct OverlayRequest {
    pub store: PathBuf,
    /// Directories of layers below `store`, the top one first.
    pub lower: Vec<String>,
    /// Directory below `store` that belongs to this container; it goes when the container is deleted.
    pub container: String,
    /// What the container writes goes to a tmpfs instead of `container`.
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
    /// Of a terminal.
    Ended,
}

#[derive(Debug)]
pub enum Event {
    Reply {
        token: Token,
        result: Result<Reply, Failure>,
    },
    /// Of a container's first process.
    Exit {
        handle: Handle,
        /// `None`: the kernel cannot tell.
        exit: Option<Exit>,
        oom_killed: bool,
    },
}
