//! Device nodes, and links in `/dev`.

use std::os::fd::{AsFd, BorrowedFd};

use caisson_plan::{Device, DeviceKind};
use caisson_sys::file::{self, Kind, O_CREAT, O_EXCL, O_NOFOLLOW, O_PATH, O_WRONLY, Status};
use caisson_sys::{device, errno, resolve};

use super::Setup;
use super::place::{self, Path, Spot};
use crate::failure::{Problem, Result};

pub fn make(setup: &Setup<'_>, device: &Device) -> Result<()> {
    let (parent, name) = resolve::make_parent(setup.root()?, &device.inside)?;
    if device.bind {
        bind_node(setup, device, parent.as_fd(), name)
    } else {
        make_node(device, parent.as_fd(), name)
    }
}

fn kind(device: &Device) -> Kind {
    match device.kind {
        DeviceKind::Char => Kind::CharacterDevice,
        DeviceKind::Block => Kind::BlockDevice,
        DeviceKind::Fifo => Kind::Fifo,
    }
}

fn is_the_device(status: &Status, device: &Device) -> bool {
    status.kind == kind(device)
        && (device.kind == DeviceKind::Fifo || status.node == (device.major, device.minor))
}

fn make_node(device: &Device, parent: BorrowedFd<'_>, name: &str) -> Result<()> {
    let mode = device.mode & 0o7777;
    match device::make_node(parent, name, kind(device), mode, (device.major, device.minor)) {
        Err(error) if error.errno() == errno::EEXIST => {}
        other => other.map_err(|error| {
            Problem::from(error)
                .hint("mknod needs CAP_MKNOD on the host, and a file system that is not mounted nodev")
        })?,
    }
    // SECURITY: CVE-2025-31133, CVE-2026-41579: what has the name now may be something else; ownership is changed on a
    // descriptor of a node that was looked at, never by name.
    let node = file::open_at(parent, name, O_PATH | O_NOFOLLOW, 0)?;
    let status = file::status(node.as_fd())?;
    if !is_the_device(&status, device) {
        return Err(taken(device, &status));
    }
    if (status.uid, status.gid) != (device.uid, device.gid) {
        file::change_owner(node.as_fd(), Some(device.uid), Some(device.gid))?;
    }
    Ok(())
}

fn taken(device: &Device, status: &Status) -> Problem {
    let found = match status.kind {
        Kind::CharacterDevice | Kind::BlockDevice => format!("device {}:{}", status.node.0, status.node.1),
        kind => format!("{kind:?}"),
    };
    Problem::refused("ERR_SYSCALL", format!("another kind of file has this path already ({found})"))
        .on(&device.inside)
}

/// In a user namespace mknod is refused: the host's node of the same path takes its place.
fn bind_node(setup: &Setup<'_>, device: &Device, parent: BorrowedFd<'_>, name: &str) -> Result<()> {
    if device.kind == DeviceKind::Fifo {
        return make_node(device, parent, name);
    }
    let host = setup.sources.open(&device.inside, true).map_err(|error| {
        Problem::from(error).hint("a user namespace can only show devices that the host has at the same path")
    })?;
    let status = file::status(host.as_fd())?;
    if !is_the_device(&status, device) {
        return Err(
            Problem::refused("ERR_SYSCALL", "the host has another file at this path").on(&device.inside)
        );
    }
    let target = mount_point(parent, name)?;
    let spot = Spot { fd: target.as_fd(), path: Path::Inside(&device.inside) };
    place::bind(setup, host.as_fd(), spot, false).map(drop)
}

/// An empty file to bind a node on; whatever has the name already will do, but a link is not followed.
pub fn mount_point(parent: BorrowedFd<'_>, name: &str) -> Result<std::os::fd::OwnedFd> {
    match file::open_at(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666) {
        Err(error) if error.errno() == errno::EEXIST => {}
        other => drop(other?),
    }
    let target = file::open_at(parent, name, O_PATH | O_NOFOLLOW, 0)?;
    match file::status(target.as_fd())?.kind {
        Kind::Symlink | Kind::Directory => {
            Err(Problem::refused("ERR_SYSCALL", "a link or directory has this path already").on(name))
        }
        _ => Ok(target),
    }
}

/// A link; what the image has there goes.
pub fn link(setup: &Setup<'_>, inside: &str, target: &str) -> Result<()> {
    let (parent, name) = resolve::make_parent(setup.root()?, inside)?;
    match file::make_symlink(target, parent.as_fd(), name) {
        Err(error) if error.errno() == errno::EEXIST => {}
        other => return Ok(other?),
    }
    if file::read_link(parent.as_fd(), name).is_ok_and(|there| there == target) {
        return Ok(());
    }
    match file::remove(parent.as_fd(), name, false) {
        Err(error) if error.errno() == errno::EISDIR => file::remove(parent.as_fd(), name, true)?,
        other => other?,
    }
    Ok(file::make_symlink(target, parent.as_fd(), name)?)
}
