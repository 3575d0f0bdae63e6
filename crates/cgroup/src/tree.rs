//! A cgroup and its descendants, by descriptors.
//!
//! SECURITY: a program can nest cgroups deeper than PATH_MAX, and deeper than the limit of descriptors. So one
//! descriptor goes down by names and up by `..`, which is safe because a cgroup file system does not move directories.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

/// A level above the current one.
struct Level {
    /// Name of its directory on the way down.
    name: CString,
    /// Its other children, not visited yet.
    pending: Vec<CString>,
}

/// Visits every cgroup, deepest first; `leave` gets the parent and the name of each visited one. Cgroups that disappear
/// meanwhile are skipped, and a missing directory has nothing to visit.
fn walk(top: &Path, mut look: impl FnMut(BorrowedFd<'_>), mut leave: impl FnMut(BorrowedFd<'_>, &CStr)) {
    let Ok(mut here) = rustix::fs::open(top, FLAGS, Mode::empty()) else { return };
    let mut pending = children(&here);
    let mut above: Vec<Level> = Vec::new();
    loop {
        if let Some(name) = pending.pop() {
            if let Ok(child) = rustix::fs::openat(&here, &name, FLAGS, Mode::empty()) {
                let pending_there = children(&child);
                above.push(Level { name, pending: std::mem::replace(&mut pending, pending_there) });
                here = child;
            }
            continue;
        }
        look(here.as_fd());
        let Some(level) = above.pop() else { return };
        let Ok(parent) = rustix::fs::openat(&here, c"..", FLAGS, Mode::empty()) else { return };
        leave(parent.as_fd(), &level.name);
        (here, pending) = (parent, level.pending);
    }
}

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn children(directory: &OwnedFd) -> Vec<CString> {
    let Ok(entries) = Dir::read_from(directory) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_type() == FileType::Directory)
        .map(|entry| entry.file_name().to_owned())
        .filter(|name| !matches!(name.to_bytes(), b"." | b".."))
        .collect()
}

/// Visits each cgroup, deepest first, `top` last.
pub(crate) fn each(top: &Path, look: impl FnMut(BorrowedFd<'_>)) {
    walk(top, look, |_, _| {});
}

/// Removes everything below `top` that can be removed, and returns the number.
pub(crate) fn remove_below(top: &Path) -> usize {
    let mut removed = 0;
    walk(
        top,
        |_| {},
        |parent, name| removed += usize::from(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR).is_ok()),
    );
    removed
}
