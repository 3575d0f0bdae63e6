//! Two digests of a tree. One covers names, types, modes, owners, sizes, times, link targets, device numbers, extended
//! attributes and hard links. The other covers file contents through their CRC-32, which costs almost nothing while
//! they are written.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crc32fast::Hasher as Crc;
use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::unpack::{Checksums, children, of_handle};
use crate::{Error, Result, Stop};
use caisson_digest::Hasher;

/// Source of the content checksums.
#[derive(Debug, Clone, Copy)]
pub enum Content<'c> {
    /// None: file contents are not covered.
    Ignored,
    /// Checksums taken while the files were written; other files are read.
    Known(&'c Checksums),
    Read,
}

/// Replaces the checksum of a file that this process may not read.
const CLOSED: u64 = u64::MAX;

/// The digests of the tree below `root` as `sha256:…`: without contents, and of the contents.
pub fn tree_digest(root: BorrowedFd<'_>, content: Content<'_>, stop: &Stop) -> Result<(String, String)> {
    let mut walk = Walk {
        hasher: Hasher::sha256(),
        contents: Hasher::sha256(),
        content,
        reads_everything: caisson_rights::reads_everything(),
        stop,
        firsts: HashMap::new(),
        count: 0,
    };
    let status = rustix::fs::fstat(root).map_err(|errno| Error::system("fstat", b".", errno))?;
    walk.attributes(b".", &status);
    walk.xattrs(root)?;
    walk.directory(root)?;
    Ok((walk.hasher.digest(), walk.contents.digest()))
}

struct Walk<'s> {
    hasher: Hasher,
    contents: Hasher,
    content: Content<'s>,
    reads_everything: bool,
    stop: &'s Stop,
    /// For a file with several names, the number of the first one, by inode.
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

    /// True for the first name of a file.
    fn attributes(&mut self, name: &[u8], status: &Stat) -> bool {
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
        !shared || first == count
    }

    fn directory(&mut self, directory: BorrowedFd<'_>) -> Result<()> {
        let mut names = match children(directory, b".") {
            Ok(names) => names,
            // The directory can be opened but not searched.
            Err(error) if error.errno == Some(Errno::ACCESS) => {
                self.field(b"closed");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        names.sort_unstable();
        for name in names {
            self.stop.check()?;
            self.entry(directory, &name)?;
        }
        self.number(u64::MAX); // end of the directory
        Ok(())
    }

    fn entry(&mut self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
        let system = |call, errno| Error::system(call, name, errno);
        let status = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| system("fstatat", errno))?;
        let is_first = self.attributes(name, &status);
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
                // An image may close a directory to its owner, and root can still read it.
                Err(Errno::ACCESS) => self.field(b"closed"),
                Err(errno) => return Err(system("openat", errno)),
            },
            FileType::RegularFile => {
                let handle = open(OFlags::PATH).map_err(|errno| system("openat", errno))?;
                self.xattrs(handle.as_fd())?;
                if is_first && let Some(sum) = self.checksum(parent, name, &status)? {
                    self.contents.update(&sum.to_le_bytes());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn checksum(&self, parent: BorrowedFd<'_>, name: &[u8], status: &Stat) -> Result<Option<u64>> {
        if status.st_size == 0 {
            return Ok(None);
        }
        let noted = match self.content {
            Content::Ignored => return Ok(None),
            Content::Known(sums) => sums.of(status.st_ino),
            Content::Read => None,
        };
        let Some(sum) = noted else { return self.read(parent, name).map(Some) };
        let readable = || rustix::fs::accessat(parent, name, Access::READ_OK, AtFlags::EACCESS).is_ok();
        Ok(Some(if self.reads_everything || readable() { sum.into() } else { CLOSED }))
    }

    fn read(&self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<u64> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file: OwnedFd = match rustix::fs::openat(parent, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::ACCESS) => return Ok(CLOSED),
            Err(errno) => return Err(Error::system("openat", name, errno)),
        };
        let (mut sum, mut buffer) = (Crc::new(), vec![0u8; 256 << 10]);
        loop {
            self.stop.check()?;
            match rustix::io::read(&file, &mut buffer) {
                Ok(0) => return Ok(sum.finalize().into()),
                Ok(count) => sum.update(&buffer[..count]),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::system("read", name, errno)),
            }
        }
    }

    fn xattrs(&mut self, fd: BorrowedFd<'_>) -> Result<()> {
        let path = of_handle(fd);
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
