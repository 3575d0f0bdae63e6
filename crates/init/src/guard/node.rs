//! Device nodes for a container in a user namespace, made outside of it: the host may lack them, or have them with
//! another mode.

use std::os::fd::{AsFd, OwnedFd};

use caisson_flags::{MountFlags, Namespaces};
use caisson_plan::Device;
use caisson_sys::file::{self, CWD, O_DIRECTORY, O_NOFOLLOW, O_PATH};
use caisson_sys::mount::{self, Change};
use caisson_sys::{device, namespace};

use crate::failure::Result;
use crate::setup::{device_kind, filesystem::Filesystem};

/// A detached mount of a new node, on a file system that has nothing else.
pub fn make(device: &Device, uid: u32, gid: u32) -> Result<OwnedFd> {
    let ground = ground()?;
    device::make_node(
        ground.as_fd(),
        "node",
        device_kind(device),
        device.mode,
        (device.major, device.minor),
    )?;
    let node = file::open_at(ground.as_fd(), "node", O_PATH | O_NOFOLLOW, 0)?;
    file::change_owner(node.as_fd(), Some(uid), Some(gid))?;
    Ok(mount::clone_tree(node.as_fd(), "", false)?)
}

/// Before Linux 6.15 only what is attached can be cloned: over the root of a mount namespace of our own, where nothing
/// that is looked up by path leads to it.
fn ground() -> Result<OwnedFd> {
    namespace::unshare(Namespaces::MOUNT)?;
    let top = file::open_at(CWD, "/", O_PATH | O_DIRECTORY, 0)?;
    // SECURITY: nothing may flow back to the namespace that this one is a copy of.
    mount::change(
        top.as_fd(),
        Change { propagation: MountFlags::PRIVATE, recursive: true, ..Change::default() },
    )?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    let ground =
        Filesystem { fstype: "tmpfs", source: "devices", flags, data: "mode=700", ..Filesystem::default() }
            .create()?;
    mount::attach(ground.as_fd(), top.as_fd())?;
    Ok(ground)
}
