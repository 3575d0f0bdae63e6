//! Requests as JavaScript objects.

use std::path::PathBuf;

use caisson_engine as engine;
use caisson_engine::Stdio;
use napi_derive::napi;

#[napi(object)]
pub struct CreateRequest {
    pub id: String,
    /// Directory of all state directories.
    pub root: String,
    /// Absolute.
    pub bundle: String,
    /// JSON text; absent: `config.json` of the bundle is read.
    pub config: Option<String>,
    /// Three numbers: -1 `/dev/null`, -2 a new pipe, otherwise this descriptor (duplicated, never closed).
    pub stdio: Vec<i32>,
    pub attached: bool,
    pub pivot: bool,
    pub new_keyring: bool,
    pub preserve_fds: u32,
    /// Absent: decided from the caller's ids.
    pub rootless: Option<bool>,
    pub cgroup_disabled: bool,
    /// The pty master is sent there instead of being returned.
    pub console_socket: Option<String>,
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
            console_socket: request.console_socket,
        }
    }
}

#[napi(object)]
pub struct DestroyRequest {
    pub root: String,
    pub id: String,
    /// Kill it first where it runs.
    pub force: bool,
}

impl From<DestroyRequest> for engine::DestroyRequest {
    fn from(request: DestroyRequest) -> Self {
        Self { root: PathBuf::from(request.root), id: request.id, force: request.force }
    }
}
