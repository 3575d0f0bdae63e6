//! The container's root file system: opened before everything else, the root of all at the end.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_code::Code;
use caisson_flags::MountFlags;
use caisson_plan::{Operation, Plan};
use caisson_sys::file::{self, CWD, Kind, O_DIRECTORY, O_PATH};
use caisson_sys::{mount, mountinfo, process, resolve};

use super::Setup;
use super::place::{self, MountTarget, Path};
use crate::failure::{Result, SetupError};

/// Opens the root and binds it onto itself: pivot_root wants a mount point.
pub fn open(setup: &Setup<'_>, host_path: &str) -> Result<OwnedFd> {
    let invalid = |problem: SetupError| problem.code(Code::InvalidBundle).on(host_path);
    let found = setup.host.sources.open(host_path, false).map_err(|error| invalid(error.into()))?;
    // SECURITY: a link here could be swapped between check and use (CVE-2019-19921).
    match file::status(found.as_fd())?.kind {
        Kind::Directory => {}
        Kind::Symlink => {
            return Err(invalid(SetupError::refused(
                Code::InvalidBundle,
                "the root file system must not be a symbolic link",
            )));
        }
        _ => {
            return Err(invalid(SetupError::refused(
                Code::InvalidBundle,
                "the root file system is not a directory",
            )));
        }
    }
    if !setup.has_mount_namespace() {
        return Ok(found);
    }
    place::bind(setup, found.as_fd(), MountTarget { fd: found.as_fd(), path: Path::Host(host_path) }, true)
}

/// Changes the propagation of every mount there is.
pub fn propagate_all(setup: &Setup<'_>, flags: MountFlags) -> Result<()> {
    let root = file::open_at(CWD, "/", O_PATH | O_DIRECTORY, 0)?;
    place::propagate(setup, root.as_fd(), flags)
}

/// Sets the read-only flag of a mount point and keeps the others.
pub fn make_readonly(setup: &Setup<'_>, inside: &str) -> Result<()> {
    let found = resolve::open_in_root(setup.root()?, inside, O_PATH)?;
    let mounted = if inside == "/" { setup.root()? } else { found.as_fd() };
    place::make_readonly(setup, mounted)
}

/// Makes the container's root the root of this process; the host's file systems are out of reach afterwards.
pub fn change(setup: &Setup<'_>, pivot: bool) -> Result<()> {
    let root = setup.root()?;
    if !setup.has_mount_namespace() {
        return change_directory_and_root(root);
    }
    // Whatever still has to be written to procfs needs one that the container had no hand in.
    if setup.classic.get() || needs_procfs(setup.plan) {
        setup.host.procfs.root()?;
    }
    if pivot { pivot_root(setup, root) } else { move_root(setup, root) }
}

fn needs_procfs(plan: &Plan) -> bool {
    plan.setup.iter().any(|operation| {
        matches!(
            operation,
            Operation::Sysctl { .. }
                | Operation::OomScoreAdj(_)
                | Operation::AppArmorProfile(_)
                | Operation::ExecLabel(_)
        )
    })
}

fn pivot_root(setup: &Setup<'_>, root: BorrowedFd<'_>) -> Result<()> {
    let old = file::open_at(CWD, "/", O_PATH | O_DIRECTORY, 0)?;
    process::change_directory(root)?;
    mount::pivot_root_here().map_err(|error| {
        SetupError::from(error)
            .hint("the root of an initial ramfs cannot be pivoted: create with --no-pivot there")
    })?;
    // The old root lies on the new one. Its unmounting must not reach the host's own mounts.
    place::propagate(setup, old.as_fd(), MountFlags::SLAVE | MountFlags::REC)?;
    process::change_directory(old.as_fd())?;
    mount::detach(".")?;
    enter_root()
}

/// The way without pivot_root: the root moves over `/`, and chroot enters it.
fn move_root(setup: &Setup<'_>, root: BorrowedFd<'_>) -> Result<()> {
    hide_host_filesystems(setup)?;
    let top = file::open_at(CWD, "/", O_PATH | O_DIRECTORY, 0)?;
    mount::attach(root, top.as_fd())?;
    change_directory_and_root(root)
}

fn change_directory_and_root(root: BorrowedFd<'_>) -> Result<()> {
    process::change_directory(root)?;
    process::change_root_here()?;
    enter_root()
}

fn enter_root() -> Result<()> {
    let top = file::open_at(CWD, "/", O_PATH | O_DIRECTORY, 0)?;
    Ok(process::change_directory(top.as_fd())?)
}

/// SECURITY: below the chroot the host's mounts still exist, and with an unmasked procfs or sysfs among them the kernel
/// would let the container mount unmasked ones of its own.
fn hide_host_filesystems(setup: &Setup<'_>) -> Result<()> {
    let ours = root_mount_point(setup);
    for mounted in mountinfo::parse(&setup.host.procfs.read("self/mountinfo", 16 << 20)?).rev() {
        let inside = ours.is_some_and(|ours| is_below(&mounted.point, ours));
        if mounted.root != "/" || !matches!(mounted.fstype, "proc" | "sysfs") || inside {
            continue;
        }
        let point = file::open_at(CWD, &mounted.point, O_PATH | O_DIRECTORY, 0)?;
        place::propagate(setup, point.as_fd(), MountFlags::SLAVE | MountFlags::REC)?;
        if mount::detach(&mounted.point).is_err() {
            // Not ours to unmount (locked by the user namespace above): cover it.
            place::filesystem(
                setup,
                &super::mask::EMPTY,
                MountTarget { fd: point.as_fd(), path: Path::Host(&mounted.point) },
            )?;
        }
    }
    Ok(())
}

fn root_mount_point<'s>(setup: &'s Setup<'_>) -> Option<&'s str> {
    setup.plan.setup.iter().find_map(|operation| match operation {
        Operation::OpenRoot { host_path } => Some(host_path.as_str()),
        Operation::MountOverlay(overlay) => Some(overlay.host_path.as_str()),
        _ => None,
    })
}

fn is_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_means_whole_components() {
        assert!(is_below("/a/b", "/a"));
        assert!(is_below("/a", "/a/"));
        assert!(!is_below("/ab", "/a"));
    }
}
