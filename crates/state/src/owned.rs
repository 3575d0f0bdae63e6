//! Checks that only the effective user and root can write to an open file.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::error::{Error, Kind, Result};

/// Write permission for group and others. An access control list shows here too: its mask replaces the group's bits.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// SECURITY: state names programs to run (hooks), processes to kill and directories to remove. It is trusted only if no
/// user but this one and root can have written it. The check uses the open descriptor, not the path.
pub(crate) fn check(fd: BorrowedFd<'_>, what: &str, path: &Path) -> Result<Stat> {
    let status = rustix::fs::fstat(fd).map_err(|errno| Error::system("fstat", path, errno))?;
    let us = rustix::process::geteuid().as_raw();
    if status.st_uid != us && status.st_uid != 0 {
        let (shown, owner) = (path.display(), status.st_uid);
        return Err(Error::new(
            Kind::Unsafe,
            format!("untrusted {what} {shown}: owned by uid {owner}, not {us}"),
        )
        .on(path)
        .hint("use a state root of your own: option root, --root or XDG_RUNTIME_DIR"));
    }
    let mode = status.st_mode & 0o7777;
    if mode & WRITABLE_BY_OTHERS != 0 {
        let shown = path.display();
        return Err(Error::new(
            Kind::Unsafe,
            format!("untrusted {what} {shown}: mode {mode:04o} lets other users write to it"),
        )
        .on(path)
        .hint(format!("check its contents, then: chmod go-w {shown}")));
    }
    Ok(status)
}

/// Opens a directory of ours without following a link in the last component. `None` if it does not exist.
pub(crate) fn open_directory(
    parent: BorrowedFd<'_>,
    name: &Path,
    flags: OFlags,
    what: &str,
    path: &Path,
) -> Result<Option<OwnedFd>> {
    let all = flags | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = match rustix::fs::openat(parent, name, all, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::NOTDIR | Errno::LOOP) if is_link(parent, name) => {
            let shown = path.display();
            return Err(Error::new(Kind::Unsafe, format!("untrusted {what} {shown}: is a symbolic link"))
                .on(path)
                .hint("name the directory itself"));
        }
        Err(errno) => return Err(Error::system(&format!("open {what}"), path, errno)),
    };
    check(fd.as_fd(), what, path)?;
    Ok(Some(fd))
}

fn is_link(parent: BorrowedFd<'_>, name: &Path) -> bool {
    rustix::fs::statat(parent, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::Symlink)
}
