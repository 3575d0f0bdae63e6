//! Host paths of a plan. With a new user namespace they are looked up twice: once with the caller's user id, which may
//! cross directories (a 0700 home or state directory) that the container's root, another user to the kernel, may not.

use std::os::fd::{AsFd, OwnedFd};

use caisson_code::Code;
use caisson_plan::{Device, DeviceOrigin, Mount, Operation, Plan};
use caisson_sys::file::{self, CWD, O_NOFOLLOW, O_PATH};
use caisson_sys::{errno, process};

use crate::caller::Caller;
use crate::failure::{Result, SetupError};

#[derive(Debug, Default)]
pub struct Sources {
    opened: Vec<(String, OwnedFd)>,
    caller: Option<Caller>,
}

impl Sources {
    /// `caller` does what only the caller may.
    pub fn new(caller: Option<Caller>) -> Self {
        Self { opened: vec![], caller }
    }

    /// Opens everything that can be opened now; what cannot is tried again when its turn comes (a hook may make it).
    pub fn open_all(&mut self, plan: &Plan) -> Result<()> {
        let mut denied = vec![];
        for (path, follow) in plan.setup.iter().flat_map(host_paths) {
            match lookup(path, follow) {
                Ok(fd) => self.opened.push((path.to_owned(), fd)),
                Err(error) if error.errno() == errno::EACCES => denied.push((path.to_owned(), follow)),
                Err(_) => {}
            }
        }
        if let Some(caller) = self.caller.as_ref().filter(|_| !denied.is_empty()) {
            self.opened.extend(caller.open(denied)?);
        }
        Ok(())
    }

    /// Who does what only the caller may.
    pub fn caller(&self) -> Result<&Caller> {
        let missing = || SetupError::refused(Code::UnsupportedSpec, "only root of the host can do this");
        self.caller.as_ref().ok_or_else(missing)
    }

    /// O_PATH descriptor of a host path. Without `follow` a link in the last component is returned as itself.
    pub fn open(&self, path: &str, follow: bool) -> caisson_sys::Result<OwnedFd> {
        match lookup(path, follow) {
            Err(error) if error.errno() == errno::EACCES => {
                let Some((_, fd)) = self.opened.iter().find(|(opened, _)| opened == path) else {
                    return Err(error);
                };
                process::duplicate_above(fd.as_fd(), 3)
            }
            other => other,
        }
    }
}

/// O_PATH descriptor of a host path.
pub fn lookup(path: &str, follow: bool) -> caisson_sys::Result<OwnedFd> {
    file::open_at(CWD, path, O_PATH | if follow { 0 } else { O_NOFOLLOW }, 0)
}

/// The host paths an operation needs, and whether links are followed in the last component.
fn host_paths(operation: &Operation) -> Vec<(&str, bool)> {
    match operation {
        Operation::OpenRoot { host_path } => vec![(host_path, false)],
        Operation::MountOverlay(overlay) if overlay.idmapped => vec![(&overlay.host_path, false)],
        Operation::MountOverlay(overlay) => vec![(&overlay.store, true), (&overlay.host_path, false)],
        Operation::Mount(Mount {
            source,
            bind: Some(_),
            id_map: None,
            copy_symlink,
            source_nofollow,
            ..
        }) => {
            vec![(source, !copy_symlink && !source_nofollow)]
        }
        Operation::Device(Device { inside, origin: DeviceOrigin::Host, .. }) => vec![(inside, true)],
        Operation::MountCgroupV1 { hierarchies, .. } => {
            hierarchies.iter().map(|hierarchy| (hierarchy.host_directory.as_str(), true)).collect()
        }
        Operation::MountCgroupV2 { host_bind, .. } => vec![(host_bind, true)],
        _ => vec![],
    }
}
