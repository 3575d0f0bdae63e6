//! Requests as JavaScript objects.

use std::path::PathBuf;

use caisson_engine as engine;
use caisson_engine::Stdio;
use napi_derive::napi;

#[napi(object)]
pub struct CreateRequest {
    pub id: String,
    /// Parent of all state directories.
    pub root: String,
    /// Absolute path.
    pub bundle: String,
    /// JSON; if absent, `config.json` of the bundle is read.
    pub config: Option<String>,
    /// Three numbers: -1 for `/dev/null`, -2 for a new pipe, or else a descriptor (duplicated, never closed).
    pub stdio: Vec<i32>,
    pub attached: bool,
    pub pivot: bool,
    pub new_keyring: bool,
    pub preserve_fds: u32,
    /// If absent, derived from the caller's ids.
    pub rootless: Option<bool>,
    pub cgroup_disabled: bool,
    /// A label whose security module is not active is a warning instead of an error.
    pub may_miss_security_module: Option<bool>,
    /// The pty master is sent to this socket instead of being returned.
    pub console_socket: Option<String>,
    /// The root file system, in place of `root.path`.
    pub overlay: Option<OverlayRequest>,
    /// The source of the root file system, for `state.json`.
    pub image: Option<ImageOrigin>,
    /// Absolute path of a directory that is removed with the container, for `state.json`.
    pub directory: Option<String>,
    /// System calls that the profile notifies come as events.
    pub answers_system_calls: Option<bool>,
}

#[napi(object)]
pub struct ImageOrigin {
    pub transport: String,
    /// Absolute.
    pub path: String,
    pub media_type: String,
    pub digest: String,
    pub size: f64,
}

impl From<ImageOrigin> for engine::ImageOrigin {
    fn from(origin: ImageOrigin) -> Self {
        Self {
            transport: origin.transport,
            path: origin.path,
            media_type: origin.media_type,
            digest: origin.digest,
            size: origin.size as u64,
        }
    }
}

/// Layers of a store with a writable one on top, mounted in the container's mount namespace.
#[napi(object)]
pub struct OverlayRequest {
    /// Absolute.
    pub store: String,
    /// Layer directories below `store`, top first.
    pub lower: Vec<String>,
    /// Directory below `store` that belongs to this container.
    pub container: String,
    /// The container writes to a tmpfs instead of `container`.
    pub tmpfs: bool,
    /// Size in bytes; the default is half of the memory.
    pub tmpfs_size: Option<f64>,
    /// Changes are not synced to disk, and may be lost in a crash.
    pub volatile: bool,
}

impl From<OverlayRequest> for engine::OverlayRequest {
    fn from(request: OverlayRequest) -> Self {
        Self {
            store: PathBuf::from(request.store),
            lower: request.lower,
            container: request.container,
            tmpfs: request.tmpfs,
            tmpfs_size: request.tmpfs_size.map(|size| size as u64),
            volatile: request.volatile,
        }
    }
}

impl From<CreateRequest> for engine::CreateRequest {
    fn from(request: CreateRequest) -> Self {
        let stream = |index: usize| match request.stdio.get(index) {
            None | Some(-1) => Stdio::Null,
            Some(-2) => Stdio::Pipe,
            Some(descriptor) => Stdio::Descriptor(*descriptor),
        };
        Self {
            stdio: [stream(0), stream(1), stream(2)],
            id: request.id,
            root: PathBuf::from(request.root),
            bundle: PathBuf::from(request.bundle),
            config: request.config,
            attached: request.attached,
            pivot: request.pivot,
            new_keyring: request.new_keyring,
            preserve_fds: request.preserve_fds,
            rootless: request.rootless,
            cgroup_disabled: request.cgroup_disabled,
            may_miss_security_module: request.may_miss_security_module.unwrap_or(false),
            console_socket: request.console_socket,
            overlay: request.overlay.map(Into::into),
            image: request.image.map(Into::into),
            directory: request.directory,
            answers_system_calls: request.answers_system_calls.unwrap_or(false),
        }
    }
}

#[napi(object)]
pub struct DestroyRequest {
    pub root: String,
    pub id: String,
    /// Kill the container first if it is running.
    pub force: bool,
}

impl From<DestroyRequest> for engine::DestroyRequest {
    fn from(request: DestroyRequest) -> Self {
        Self { root: PathBuf::from(request.root), id: request.id, force: request.force }
    }
}
