//! The store of an image's layers with owners mapped for a new user namespace, so that one snapshot serves every
//! mapping. Only root of the host may create such a mount, so the engine does, and sends it to the helper.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use caisson_code::{Code, Phase};
use caisson_plan::{Operation, Plan};
use caisson_sys::{file, mount};

use crate::failure::{Failure, Result};

/// The mount for the user namespace of `pid`, whose maps are written; `None` if the plan does not need it.
pub fn of(plan: &Plan, pid: i32) -> Result<Option<OwnedFd>> {
    let wanted = plan.setup.iter().find_map(|operation| match operation {
        Operation::MountOverlay(overlay) if overlay.idmapped => Some(&overlay.store),
        _ => None,
    });
    let Some(store) = wanted else { return Ok(None) };
    let path = format!("/proc/{pid}/ns/user");
    let namespace = File::open(&path)
        .map_err(|error| Failure::io(Phase::Spawn, "cannot open", std::path::Path::new(&path), &error))?;
    let mapped = mount::clone_tree(file::CWD, store, false)
        .and_then(|tree| mount::map_ids(tree.as_fd(), namespace.as_fd()).map(|()| tree));
    mapped.map(Some).map_err(|error| {
        let mut failure =
            Failure::syscall(Phase::Spawn, "cannot map the owners of the image's layers", &error);
        failure.code = Code::OverlayUnavailable;
        failure.on(store.clone()).hint("Linux 5.19 is needed, and a file system that can (tmpfs: Linux 6.3)")
    })
}
