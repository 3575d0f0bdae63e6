//! Device nodes, and links in `/dev`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_code::Code;
use caisson_plan::{Device, DeviceKind, DeviceOrigin};
use caisson_sys::file::{self, Kind, O_CREAT, O_EXCL, O_NOFOLLOW, O_PATH, O_WRONLY, Status};
use caisson_sys::{device, errno, resolve};

use super::Setup;
use super::place::{self, MountTarget, Path};
use crate::failure::{Result, SetupError};
use crate::mappings;

/// The directory of the last device or link: most often the next one is in it too. Forgotten by every operation that
/// may change what a path means.
#[derive(Debug, Default)]
pub struct LastDirectory {
    path: String,
    fd: Option<OwnedFd>,
}

impl LastDirectory {
    /// The directory of `path`, made where it is missing, and the last name.
    fn of<'s, 'p>(&'s mut self, root: BorrowedFd<'_>, path: &'p str) -> Result<(BorrowedFd<'s>, &'p str)> {
        let known = path.rsplit_once('/').filter(|(directory, name)| {
            self.fd.is_some() && *directory == self.path && !matches!(*name, "" | "." | "..")
        });
        let name = match known {
            Some((_, name)) => name,
            None => {
                let (fd, name) = resolve::make_parent(root, path)?;
                path.strip_suffix(name).unwrap_or_default().trim_end_matches('/').clone_into(&mut self.path);
                self.fd = Some(fd);
                name
            }
        };
        match &self.fd {
            Some(fd) => Ok((fd.as_fd(), name)),
            None => Err(SetupError::internal("no directory").on(path)),
        }
    }
}

pub fn make(setup: &Setup<'_>, device: &Device) -> Result<()> {
    let mut last = setup.host.last_directory.borrow_mut();
    let (parent, name) = last.of(setup.root()?, &device.inside)?;
    match device.origin {
        DeviceOrigin::New => make_node(device, parent, name),
        DeviceOrigin::Host => bind_node(setup, device, parent, name),
        DeviceOrigin::Caller => match made_by_caller(setup, device)? {
            Some(node) => {
                let target = mount_point(parent, name)?;
                place::put(node, target.as_fd()).map(drop)
            }
            None => bind_node(setup, device, parent, name),
        },
    }
}

/// A node with the configured mode and owner. `None`: the caller may not make one either, or cannot here.
fn made_by_caller(setup: &Setup<'_>, device: &Device) -> Result<Option<OwnedFd>> {
    let Ok(caller) = setup.host.sources.caller() else { return Ok(None) };
    let outside = |file, id, name| match mappings::outside(&setup.host.procfs, file, id)? {
        Some(id) => Ok(id),
        None => Err(SetupError::refused(
            Code::InvalidSpec,
            format!("{name} {id} is not mapped in the user namespace"),
        )),
    };
    let (uid, gid) = (outside("uid_map", device.uid, "uid")?, outside("gid_map", device.gid, "gid")?);
    match caller.make_node(device, uid, gid) {
        Ok(node) => Ok(Some(node)),
        Err(problem) if matches!(problem.errno(), errno::EPERM | errno::ENOSYS) => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// What mknod(2) makes.
pub fn kind(device: &Device) -> Kind {
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
            SetupError::from(error)
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

fn taken(device: &Device, status: &Status) -> SetupError {
    let found = match status.kind {
        Kind::CharacterDevice | Kind::BlockDevice => format!("device {}:{}", status.node.0, status.node.1),
        kind => format!("{kind:?}"),
    };
    SetupError::unsafe_path(format!("another kind of file has this path already ({found})"))
        .on(&device.inside)
}

/// In a user namespace mknod is refused: the host's node of the same path takes its place.
fn bind_node(setup: &Setup<'_>, device: &Device, parent: BorrowedFd<'_>, name: &str) -> Result<()> {
    if device.kind == DeviceKind::Fifo {
        return make_node(device, parent, name);
    }
    let host = setup.host.sources.open(&device.inside, true).map_err(|error| {
        SetupError::from(error)
            .hint("a user namespace can only show devices that the host has at the same path")
    })?;
    let status = file::status(host.as_fd())?;
    if !is_the_device(&status, device) {
        return Err(SetupError::unsafe_path("the host has another file at this path").on(&device.inside));
    }
    let target = mount_point(parent, name)?;
    let spot = MountTarget { fd: target.as_fd(), path: Path::Inside(&device.inside) };
    place::bind(setup, host.as_fd(), spot, false).map(drop)
}

/// An empty file to bind a node on; whatever has the name already will do, but a link is not followed.
pub fn mount_point(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd> {
    match file::open_at(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666) {
        Err(error) if error.errno() == errno::EEXIST => {}
        other => drop(other?),
    }
    let target = file::open_at(parent, name, O_PATH | O_NOFOLLOW, 0)?;
    match file::status(target.as_fd())?.kind {
        Kind::Symlink | Kind::Directory => {
            Err(SetupError::unsafe_path("a link or directory has this path already").on(name))
        }
        _ => Ok(target),
    }
}

/// A link; what the image has there goes, unless it is to be kept.
pub fn link(setup: &Setup<'_>, inside: &str, target: &str, replace: bool) -> Result<()> {
    let mut last = setup.host.last_directory.borrow_mut();
    let (parent, name) = last.of(setup.root()?, inside)?;
    match file::make_symlink(target, parent, name) {
        Err(error) if error.errno() == errno::EEXIST => {}
        other => return Ok(other?),
    }
    if !replace || file::read_link(parent, name).is_ok_and(|there| there == target) {
        return Ok(());
    }
    match file::remove(parent, name, false) {
        Err(error) if error.errno() == errno::EISDIR => file::remove(parent, name, true)?,
        other => other?,
    }
    Ok(file::make_symlink(target, parent, name)?)
}
