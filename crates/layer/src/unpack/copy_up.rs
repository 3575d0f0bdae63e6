//! Copies an entry of one tree to another with all its attributes, sharing blocks where the file system can.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::attributes::{of_handle, steers_overlays};
use crate::error::display;
use crate::{Error, Kind, Result};

const HANDLE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Copies `name` of `from`, a file other than a directory with this status, to the free name `new_name` of `to`.
pub fn copy_up(
    from: BorrowedFd<'_>,
    name: &[u8],
    status: &Stat,
    to: BorrowedFd<'_>,
    new_name: &[u8],
) -> Result<()> {
    let system = |call, errno| Error::system(call, name, errno);
    let kind = FileType::from_raw_mode(status.st_mode);
    match kind {
        FileType::RegularFile => copy_content((from, name), status, (to, new_name))?,
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(from, name, Vec::new())
                .map_err(|errno| system("readlinkat", errno))?;
            rustix::fs::symlinkat(target, to, new_name).map_err(|errno| system("symlinkat", errno))?;
        }
        FileType::Socket => {
            let message = format!("{}: a socket cannot be copied", display(name));
            return Err(Error::new(Kind::Unsafe, message).on(display(name)));
        }
        FileType::Directory | FileType::Unknown => {
            return Err(Error::new(Kind::Unsafe, format!("{} is no file to copy", display(name))));
        }
        _ => rustix::fs::mknodat(to, new_name, kind, Mode::from_raw_mode(0o600), status.st_rdev)
            .map_err(|errno| system("mknodat", errno))?,
    }
    let source =
        rustix::fs::openat(from, name, HANDLE, Mode::empty()).map_err(|errno| system("openat", errno))?;
    let made =
        rustix::fs::openat(to, new_name, HANDLE, Mode::empty()).map_err(|errno| system("openat", errno))?;
    copy_owner(&made, status, name)?;
    if kind != FileType::Symlink {
        rustix::fs::chmod(of_handle(made.as_fd()), Mode::from_raw_mode(status.st_mode & 0o7777))
            .map_err(|errno| system("chmod", errno))?;
    }
    copy_xattrs(&source, &made, name)?;
    rustix::fs::utimensat(to, new_name, &times(status), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| system("utimensat", errno))
}

/// Copies owner and extended attributes of a directory; its mode and time are set when it is complete.
pub fn copy_directory_attributes(from: BorrowedFd<'_>, status: &Stat, to: BorrowedFd<'_>) -> Result<()> {
    let duplicate = |fd: BorrowedFd<'_>| {
        rustix::fs::openat(fd, ".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| Error::system("openat", b".", errno))
    };
    let (source, made) = (duplicate(from)?, duplicate(to)?);
    copy_owner(&made, status, b".")?;
    copy_xattrs(&source, &made, b".")
}

pub fn times(status: &Stat) -> Timestamps {
    let time = Timespec { tv_sec: status.st_mtime, tv_nsec: status.st_mtime_nsec as _ };
    Timestamps { last_access: time, last_modification: time }
}

fn copy_owner(made: &OwnedFd, status: &Stat, name: &[u8]) -> Result<()> {
    let system = |call, errno| Error::system(call, name, errno);
    let now = rustix::fs::fstat(made).map_err(|errno| system("fstat", errno))?;
    if (now.st_uid, now.st_gid) == (status.st_uid, status.st_gid) {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(status.st_uid), Gid::from_raw(status.st_gid));
    rustix::fs::chownat(made, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
        .map_err(|errno| system("fchownat", errno))
}

/// Attributes that cannot be set here (another file system, no privilege) are left out, as for an archive.
fn copy_xattrs(from: &OwnedFd, to: &OwnedFd, name: &[u8]) -> Result<()> {
    let mut list = vec![0u8; 64 << 10]; // XATTR_LIST_MAX
    let length = match rustix::fs::listxattr(of_handle(from.as_fd()), &mut list[..]) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => return Ok(()),
        // A link cannot be reached through its descriptor; users cannot set attributes on it.
        Err(Errno::LOOP | Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(Error::system("listxattr", name, errno)),
    };
    for attribute in list[..length].split(|byte| *byte == 0) {
        if attribute.is_empty() || steers_overlays(attribute) {
            continue;
        }
        let mut value = vec![0u8; 64 << 10]; // XATTR_SIZE_MAX
        let Ok(size) = rustix::fs::getxattr(of_handle(from.as_fd()), attribute, &mut value[..]) else {
            continue;
        };
        match rustix::fs::setxattr(of_handle(to.as_fd()), attribute, &value[..size], XattrFlags::empty()) {
            Ok(()) | Err(Errno::PERM | Errno::OPNOTSUPP | Errno::ACCESS) => {}
            Err(errno) => return Err(Error::system("setxattr", name, errno)),
        }
    }
    Ok(())
}

fn copy_content(
    (from, name): (BorrowedFd<'_>, &[u8]),
    status: &Stat,
    (to, new_name): (BorrowedFd<'_>, &[u8]),
) -> Result<()> {
    let system = |call, errno| Error::system(call, name, errno);
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let source =
        rustix::fs::openat(from, name, flags, Mode::empty()).map_err(|errno| system("openat", errno))?;
    let opened = rustix::fs::fstat(&source).map_err(|errno| system("fstat", errno))?;
    if (opened.st_dev, opened.st_ino) != (status.st_dev, status.st_ino) {
        return Err(Error::new(Kind::Unsafe, format!("{} was swapped while it was copied", display(name))));
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = rustix::fs::openat(to, new_name, flags, Mode::from_raw_mode(0o600))
        .map_err(|errno| system("openat", errno))?;
    if opened.st_size == 0 || rustix::fs::ioctl_ficlone(&made, &source).is_ok() {
        return Ok(());
    }
    copy_data(&source, &made, opened.st_size.unsigned_abs()).map_err(|errno| system("copy_file_range", errno))
}

/// Copies extent by extent, so that holes are kept.
fn copy_data(source: &OwnedFd, made: &OwnedFd, size: u64) -> rustix::io::Result<()> {
    let mut position = 0;
    while position < size {
        let start = match rustix::fs::seek(source, SeekFrom::Data(position)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,     // nothing but a hole is left
            Err(Errno::INVAL) => position, // the file system does not report extents
            Err(errno) => return Err(errno),
        };
        let end = rustix::fs::seek(source, SeekFrom::Hole(start)).unwrap_or(size);
        copy_range(source, made, start, end.max(start + 1).min(size))?;
        position = end.max(start + 1);
    }
    rustix::fs::ftruncate(made, size)
}

fn copy_range(source: &OwnedFd, made: &OwnedFd, start: u64, end: u64) -> rustix::io::Result<()> {
    let (mut from, mut to) = (start, start);
    while from < end {
        let count = usize::try_from(end - from).unwrap_or(usize::MAX).min(1 << 30);
        match rustix::fs::copy_file_range(source, Some(&mut from), made, Some(&mut to), count) {
            Ok(0) => return Ok(()), // the file has shrunk
            Ok(_) => {}
            Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                return copy_bytes(source, made, from, end);
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Through a buffer, where the kernel cannot copy between the two file systems.
fn copy_bytes(source: &OwnedFd, made: &OwnedFd, mut from: u64, end: u64) -> rustix::io::Result<()> {
    let mut buffer = vec![0u8; 256 << 10];
    while from < end {
        let wanted = buffer.len().min(usize::try_from(end - from).unwrap_or(usize::MAX));
        let count = rustix::io::pread(source, &mut buffer[..wanted], from)?;
        if count == 0 {
            break;
        }
        let mut done = 0;
        while done < count {
            done += rustix::io::pwrite(made, &buffer[done..count], from + done as u64)?;
        }
        from += count as u64;
    }
    Ok(())
}

/// The status of a descriptor.
pub fn status(fd: impl AsFd, name: &[u8]) -> Result<Stat> {
    rustix::fs::fstat(fd).map_err(|errno| Error::system("fstat", name, errno))
}
