//! Completes directories at the very end: until then all must be writable, and every new entry would change the time.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Mode, OFlags, XattrFlags};
use rustix::io::Errno;

use super::attributes::timestamps;
use super::tree::Tree;
use crate::tar::Time;
use crate::{Error, Result};

/// Mode and time of a directory, to be set at the end.
pub struct Deferred {
    pub path: Vec<u8>,
    pub mode: u32,
    pub mtime: Time,
    /// Access control lists, by attribute name.
    pub acls: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Deferred {
    pub fn new(path: Vec<u8>, mode: u32, mtime: Time) -> Self {
        Self { path, mode, mtime, acls: Vec::new() }
    }
}

/// Sets modes and times of directories, deepest first; those without an entry get the defaults. Then each is passed to
/// `last` with its inode.
pub fn finish_directories(
    tree: &mut Tree<'_>,
    mut directories: HashMap<u64, Deferred>,
    last: &mut dyn FnMut(u64, BorrowedFd<'_>) -> Result<()>,
) -> Result<()> {
    for path in std::mem::take(&mut tree.implied) {
        let Ok(fd) = tree.open_entry(&path, OFlags::PATH | OFlags::DIRECTORY) else { continue };
        let inode = rustix::fs::fstat(&fd).map_err(|errno| Error::system("fstat", &path, errno))?.st_ino;
        let deferred = Deferred::new(path, 0o755, Time::default());
        directories.entry(inode).or_insert(deferred);
    }
    let mut directories: Vec<_> = directories.into_iter().collect();
    directories.sort_by(|(_, a), (_, b)| b.path.cmp(&a.path));
    for (inode, Deferred { path, mode, mtime, acls }) in directories {
        let system = |call, errno| Error::system(call, &path, errno);
        let directory = match tree.open_entry(&path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue, // a later layer removed it
            Err(errno) => return Err(system("openat2", errno)),
        };
        if rustix::fs::fstat(&directory).map_err(|errno| system("fstat", errno))?.st_ino != inode {
            continue;
        }
        rustix::fs::fchmod(&directory, Mode::from_raw_mode(mode)).map_err(|errno| system("fchmod", errno))?;
        for (name, value) in acls {
            rustix::fs::fsetxattr(&directory, name.as_slice(), &value, XattrFlags::empty())
                .map_err(|errno| system("fsetxattr", errno))?;
        }
        rustix::fs::futimens(&directory, &timestamps(mtime)).map_err(|errno| system("futimens", errno))?;
        last(inode, directory.as_fd())?;
    }
    Ok(())
}
