//! Host paths of a plan. With a new user namespace they are looked up twice: once with the caller's user id, which may
//! cross directories (a 0700 home or state directory) that the container's root, another user to the kernel, may not.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_plan::protocol::{MAX_MESSAGE, OpenRequest, encode};
use caisson_plan::{Device, Mount, Operation, Plan};
use caisson_sys::file::{self, CWD, O_NOFOLLOW, O_PATH};
use caisson_sys::{Result, errno, pidfd, process, socket};

#[derive(Debug, Default)]
pub struct Sources {
    opened: Vec<(String, OwnedFd)>,
    /// The store as the parent sends it: owners are mapped into the user namespace.
    idmapped: Option<OwnedFd>,
}

impl Sources {
    /// Opens everything that can be opened now; what cannot is tried again when its turn comes (a hook may make it).
    /// `guard` opens what only the caller may reach.
    pub fn open_all(plan: &Plan, guard: Option<OwnedFd>) -> Result<Self> {
        let (mut opened, mut denied) = (vec![], vec![]);
        for (path, follow) in plan.setup.iter().flat_map(host_paths) {
            match lookup(path, follow) {
                Ok(fd) => opened.push((path.to_owned(), fd)),
                Err(error) if error.errno() == errno::EACCES => denied.push((path.to_owned(), follow)),
                Err(_) => {}
            }
        }
        if let Some(guard) = guard.filter(|_| !denied.is_empty()) {
            opened.extend(ask(&guard, denied)?);
        }
        Ok(Self { opened, idmapped: None })
    }

    pub fn set_idmapped(&mut self, store: Option<OwnedFd>) {
        self.idmapped = store;
    }

    pub fn idmapped(&self) -> Option<BorrowedFd<'_>> {
        self.idmapped.as_ref().map(AsFd::as_fd)
    }

    /// O_PATH descriptor of a host path. Without `follow` a link in the last component is returned as itself.
    pub fn open(&self, path: &str, follow: bool) -> Result<OwnedFd> {
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

/// Asks the guard, which has the caller's rights, for these paths. A guard that cannot help leaves them closed.
fn ask(guard: &OwnedFd, paths: Vec<(String, bool)>) -> Result<Vec<(String, OwnedFd)>> {
    let request = OpenRequest(paths);
    let this = pidfd::open(process::id())?;
    match encode(&request) {
        Ok(bytes) if bytes.len() <= MAX_MESSAGE => socket::send(guard, &bytes, &[&this])?,
        _ => return Ok(vec![]),
    }
    let mut opened = vec![];
    for (path, _) in request.0 {
        let Some(message) = socket::receive(guard, MAX_MESSAGE, true)? else { break };
        opened.extend(message.descriptors.into_iter().next().map(|fd| (path, fd)));
    }
    Ok(opened)
}

/// O_PATH descriptor of a host path.
pub fn lookup(path: &str, follow: bool) -> Result<OwnedFd> {
    file::open_at(CWD, path, O_PATH | if follow { 0 } else { O_NOFOLLOW }, 0)
}

/// The host paths an operation needs, and whether links are followed in the last component.
fn host_paths(operation: &Operation) -> Vec<(&str, bool)> {
    match operation {
        Operation::OpenRoot { host_path } => vec![(host_path, false)],
        Operation::MountOverlay(overlay) => vec![(&overlay.store, true), (&overlay.host_path, false)],
        Operation::Mount(Mount { source, bind: Some(_), .. }) => vec![(source, true)],
        Operation::Device(Device { inside, bind: true, .. }) => vec![(inside, true)],
        Operation::MountCgroupV1 { hierarchies, .. } => {
            hierarchies.iter().map(|hierarchy| (hierarchy.host_directory.as_str(), true)).collect()
        }
        Operation::MountCgroupV2 { host_bind, .. } => vec![(host_bind, true)],
        _ => vec![],
    }
}
