//! A cgroup and all below it, by descriptors.
//!
//! SECURITY: a program nests cgroups deeper than PATH_MAX, and deeper than there are descriptors; one descriptor at a
//! time goes down by names and up by `..`, which a cgroup file system never moves.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

/// A level above the one that is looked at.
struct Level {
    /// Of the directory below it on the way down.
    name: CString,
    /// Its other children, not looked at yet.
    pending: Vec<CString>,
}

/// Looks at every cgroup, deepest first; `leave` gets the parent and the name of each that has been looked at. What
/// disappears meanwhile is passed over, and a directory that does not exist has nothing to look at.
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

/// Each cgroup, deepest first, `top` last.
pub(crate) fn each(top: &Path, look: impl FnMut(BorrowedFd<'_>)) {
    walk(top, look, |_, _| {});
}

/// Removes what is below `top` and can be removed; how many that were.
pub(crate) fn remove_below(top: &Path) -> usize {
    let mut removed = 0;
    walk(
        top,
        |_| {},
        |parent, name| removed += usize::from(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR).is_ok()),
    );
    removed
}
