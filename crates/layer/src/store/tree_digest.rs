//! One digest over a tree: names, types, modes, owners, sizes, times, targets, device numbers, extended attributes, which
//! names are one file; with or without the content of files.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::unpack::children;
use crate::{Error, Result, Stop};
use caisson_digest::Hasher;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A look at everything but the bytes of files: what a crash or an edit damages shows.
    Ignored,
    Read,
}

/// The digest of the tree below `root`, `sha256:…`.
pub fn tree_digest(root: BorrowedFd<'_>, content: Content, stop: &Stop) -> Result<String> {
    let mut walk = Walk { hasher: Hasher::sha256(), content, stop, firsts: HashMap::new(), count: 0 };
    let status = rustix::fs::fstat(root).map_err(|errno| Error::system("fstat", b".", errno))?;
    walk.attributes(b".", &status);
    walk.xattrs(root)?;
    walk.directory(root)?;
    Ok(walk.hasher.digest())
}

struct Walk<'s> {
    hasher: Hasher,
    content: Content,
    stop: &'s Stop,
    /// Number of the first name of a file with several, by inode.
    firsts: HashMap<u64, u64>,
    count: u64,
}

impl Walk<'_> {
    fn field(&mut self, bytes: &[u8]) {
        self.hasher.update(&(bytes.len() as u64).to_le_bytes());
        self.hasher.update(bytes);
    }

    fn number(&mut self, number: u64) {
        self.hasher.update(&number.to_le_bytes());
    }

    fn attributes(&mut self, name: &[u8], status: &Stat) {
        let kind = FileType::from_raw_mode(status.st_mode);
        self.field(name);
        self.number(status.st_mode.into());
        self.number(u64::from(status.st_uid) << 32 | u64::from(status.st_gid));
        self.number(status.st_mtime.cast_unsigned());
        self.number(status.st_mtime_nsec);
        let is_device = matches!(kind, FileType::CharacterDevice | FileType::BlockDevice);
        self.number(if is_device { status.st_rdev } else { 0 });
        self.number(if kind == FileType::RegularFile { status.st_size.unsigned_abs() } else { 0 });
        self.count += 1;
        let count = self.count;
        let shared = kind != FileType::Directory && status.st_nlink > 1;
        let first = if shared { *self.firsts.entry(status.st_ino).or_insert(count) } else { 0 };
        self.number(first);
    }

    fn directory(&mut self, directory: BorrowedFd<'_>) -> Result<()> {
        let mut names = children(directory, b".")?;
        names.sort_unstable();
        for name in names {
            self.stop.check()?;
            self.entry(directory, &name)?;
        }
        self.number(u64::MAX); // the end of it
        Ok(())
    }

    fn entry(&mut self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
        let system = |call, errno| Error::system(call, name, errno);
        let status = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| system("fstatat", errno))?;
        self.attributes(name, &status);
        let open = |flags| {
            rustix::fs::openat(parent, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        };
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(parent, name, Vec::new())
                    .map_err(|errno| system("readlinkat", errno))?;
                self.field(target.as_bytes());
            }
            FileType::Directory => match open(OFlags::RDONLY | OFlags::DIRECTORY) {
                Ok(inner) => {
                    self.xattrs(inner.as_fd())?;
                    self.directory(inner.as_fd())?;
                }
                // An image may close a directory to its owner, and only root looks in all the same.
                Err(Errno::ACCESS) => self.field(b"closed"),
                Err(errno) => return Err(system("openat", errno)),
            },
            FileType::RegularFile => {
                let handle = open(OFlags::PATH).map_err(|errno| system("openat", errno))?;
                self.xattrs(handle.as_fd())?;
                if self.content == Content::Read {
                    match open(OFlags::RDONLY | OFlags::NONBLOCK) {
                        Ok(file) => self.content(&file, name)?,
                        Err(Errno::ACCESS) => self.field(b"closed"),
                        Err(errno) => return Err(system("openat", errno)),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn content(&mut self, file: &OwnedFd, name: &[u8]) -> Result<()> {
        let mut buffer = vec![0u8; 256 << 10];
        loop {
            self.stop.check()?;
            match rustix::io::read(file, &mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => self.hasher.update(&buffer[..count]),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::system("read", name, errno)),
            }
        }
    }

    fn xattrs(&mut self, fd: BorrowedFd<'_>) -> Result<()> {
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let mut list = [0u8; 4096];
        let length = match rustix::fs::listxattr(&path, &mut list[..]) {
            Ok(length) => length,
            Err(Errno::OPNOTSUPP | Errno::ACCESS | Errno::PERM) => 0,
            Err(errno) => return Err(Error::system("listxattr", path.as_bytes(), errno)),
        };
        let mut names: Vec<&[u8]> =
            list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        for name in names {
            let mut value = vec![0u8; 64 << 10];
            let Ok(size) = rustix::fs::getxattr(&path, name, &mut value[..]) else { continue };
            self.field(name);
            self.field(&value[..size]);
        }
        Ok(())
    }
}
