//! The container's view of its cgroups: a tmpfs with one mount per hierarchy on v1, one mount on v2.

use std::os::fd::{AsFd, BorrowedFd};

use caisson_flags::MountFlags;
use caisson_plan::CgroupHierarchy;
use caisson_sys::errno::{EBUSY, EPERM};
use caisson_sys::file::{self, O_DIRECTORY, O_NOFOLLOW, O_PATH};

use super::Setup;
use super::filesystem::Filesystem;
use super::place::{self, MountTarget, Path};
use super::target::{self, Shape};
use crate::failure::Result;

/// How the v1 view is to be made.
#[derive(Debug, Clone, Copy)]
pub struct V1<'p> {
    pub flags: MountFlags,
    pub hierarchies: &'p [CgroupHierarchy],
    pub namespace: bool,
    pub readonly: bool,
}

pub fn mount_v1(setup: &Setup<'_>, inside: &str, view: &V1<'_>) -> Result<()> {
    let target = target::prepare(setup, inside, Shape::Directory, false, false)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let tmpfs = Filesystem { fstype: "tmpfs", source: "tmpfs", flags, data: "mode=755", context: None };
    let spot = MountTarget { fd: target.fd.as_fd(), path: Path::Inside(inside) };
    let top = place::filesystem(setup, &tmpfs, spot)?;
    for hierarchy in view.hierarchies {
        file::make_directory(top.as_fd(), &hierarchy.directory, 0o755)?;
        for link in &hierarchy.links {
            file::make_symlink(&hierarchy.directory, top.as_fd(), link)?;
        }
    }
    for hierarchy in view.hierarchies {
        let path = format!("{}/{}", inside.trim_end_matches('/'), hierarchy.directory);
        mount_hierarchy(setup, top.as_fd(), &path, view, hierarchy)?;
    }
    if view.readonly { place::make_readonly(setup, top.as_fd()) } else { Ok(()) }
}

fn mount_hierarchy(
    setup: &Setup<'_>,
    top: BorrowedFd<'_>,
    path: &str,
    view: &V1<'_>,
    hierarchy: &CgroupHierarchy,
) -> Result<()> {
    // Our own tmpfs of a moment ago: no other process could put a link there.
    let target = file::open_at(top, &hierarchy.directory, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0)?;
    let spot = MountTarget { fd: target.as_fd(), path: Path::Inside(path) };
    if !view.namespace {
        return bind(setup, &hierarchy.host_directory, spot, view.flags);
    }
    let filesystem = Filesystem {
        fstype: "cgroup",
        source: "cgroup",
        flags: view.flags,
        data: &hierarchy.data,
        context: None,
    };
    place::filesystem(setup, &filesystem, spot).map(drop)
}

fn bind(setup: &Setup<'_>, host_directory: &str, spot: MountTarget<'_>, flags: MountFlags) -> Result<()> {
    let source = setup.host.sources.open(host_directory, true)?;
    let mounted = place::bind(setup, source.as_fd(), spot, true)?;
    place::set_flags(setup, mounted.as_fd(), flags, MountFlags::empty())
}

pub fn mount_v2(setup: &Setup<'_>, inside: &str, flags: MountFlags, host_bind: &str) -> Result<()> {
    let target = target::prepare(setup, inside, Shape::Directory, false, false)?;
    let spot = MountTarget { fd: target.fd.as_fd(), path: Path::Inside(inside) };
    let filesystem = Filesystem { fstype: "cgroup2", source: "cgroup", flags, data: "", context: None };
    match place::filesystem(setup, &filesystem, spot) {
        // EPERM: no right in this cgroup namespace; EBUSY: the hierarchy is in use by v1.
        Err(problem) if matches!(problem.errno(), EPERM | EBUSY) => bind(setup, host_bind, spot, flags),
        other => other.map(drop),
    }
}
