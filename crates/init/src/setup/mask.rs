//! Paths that the container may not read, or not change.

use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use caisson_flags::MountFlags;
use caisson_sys::file::{self, Kind, O_NOFOLLOW, O_PATH};
use caisson_sys::resolve;

use super::Setup;
use super::filesystem::Filesystem;
use super::place::{self, MountTarget, Path};
use crate::failure::{Result, SetupError};

/// What masks are made of, shared by all of them.
#[derive(Debug, Default)]
pub struct Masks {
    /// Mounted on the first masked directory; the others get clones.
    directory: OnceCell<OwnedFd>,
    null: OnceCell<OwnedFd>,
}

/// A read-only tmpfs that can hold nothing.
pub const EMPTY: Filesystem<'static> = Filesystem {
    fstype: "tmpfs",
    source: "tmpfs",
    flags: MountFlags::RDONLY,
    data: "nr_blocks=1,nr_inodes=1",
    context: None,
};

/// Covers a directory with an empty one and anything else with the null device; a path that is not there needs nothing.
pub fn hide(setup: &Setup<'_>, inside: &str) -> Result<()> {
    let Some(target) = find(setup, inside)? else { return Ok(()) };
    let spot = MountTarget { fd: target.as_fd(), path: Path::Inside(inside) };
    if file::status(target.as_fd())?.kind != Kind::Directory {
        return place::bind(setup, null(setup)?, spot, false).map(drop);
    }
    if let Some(first) = setup.host.masks.directory.get() {
        return place::bind(setup, first.as_fd(), spot, false).map(drop);
    }
    let first = place::filesystem(setup, &EMPTY, spot)?;
    setup.host.masks.directory.get_or_init(|| first);
    Ok(())
}

/// Binds a path over itself, read-only; the other flags of its mount stay. A path that is not there needs nothing.
pub fn make_readonly(setup: &Setup<'_>, inside: &str) -> Result<()> {
    let Some(target) = find(setup, inside)? else { return Ok(()) };
    let mounted = place::bind(
        setup,
        target.as_fd(),
        MountTarget { fd: target.as_fd(), path: Path::Inside(inside) },
        true,
    )?;
    place::make_readonly(setup, mounted.as_fd())
}

fn find(setup: &Setup<'_>, inside: &str) -> Result<Option<OwnedFd>> {
    Ok(resolve::find_in_root(setup.root()?, inside, O_PATH)?)
}

/// SECURITY: CVE-2025-31133: a `/dev/null` that an image or another container swapped for something else would be
/// bound, writable, over a file that must be hidden. It is opened once, looked at, and bound by that descriptor.
fn null<'s>(setup: &'s Setup<'_>) -> Result<BorrowedFd<'s>> {
    if let Some(null) = setup.host.masks.null.get() {
        return Ok(null.as_fd());
    }
    let null = resolve::open_in_root(setup.root()?, "/dev/null", O_PATH | O_NOFOLLOW)?;
    if !file::status(null.as_fd())?.is_char_device(1, 3) {
        return Err(
            SetupError::unsafe_path("the container's /dev/null is not the null device").on("/dev/null")
        );
    }
    Ok(setup.host.masks.null.get_or_init(|| null).as_fd())
}
