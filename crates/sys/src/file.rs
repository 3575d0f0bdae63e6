//! Files by directory descriptor: look, create, change, remove. None of these follows a link in the last component.
//! Where a path has more than one component and the tree is hostile, [`crate::resolve`] comes first.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawMode};

use crate::Result;
use crate::call::{OrError, check, describe};

pub use libc::{
    O_CREAT, O_DIRECTORY, O_EXCL, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, O_WRONLY,
};
pub use rustix::fs::FileType as Kind;

/// The current directory in calls that take a directory descriptor.
pub const CWD: BorrowedFd<'static> = rustix::fs::CWD;

/// Super block magic numbers, from linux/magic.h.
pub const PROC_SUPER_MAGIC: i64 = 0x9fa0;
pub const SYSFS_MAGIC: i64 = 0x6265_6572;
pub const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;

/// What `fstat(2)` says, as far as it is used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    pub kind: Kind,
    /// Permission bits with set-id and sticky.
    pub permissions: u32,
    pub uid: u32,
    pub gid: u32,
    pub inode: u64,
    /// Device that holds the file.
    pub device: u64,
    /// Device that the file *is*: major and minor; both 0 for anything but device nodes.
    pub node: (u32, u32),
    pub size: u64,
}

impl Status {
    /// A character device with these numbers.
    pub fn is_char_device(&self, major: u32, minor: u32) -> bool {
        self.kind == Kind::CharacterDevice && self.node == (major, minor)
    }
}

impl From<rustix::fs::Stat> for Status {
    fn from(stat: rustix::fs::Stat) -> Self {
        Self {
            kind: FileType::from_raw_mode(stat.st_mode as RawMode),
            permissions: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            inode: stat.st_ino,
            device: stat.st_dev,
            node: (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)),
            size: stat.st_size as u64,
        }
    }
}

/// `fstat(2)`; works on O_PATH descriptors.
pub fn status(fd: BorrowedFd<'_>) -> Result<Status> {
    Ok(rustix::fs::fstat(fd).or_error("fstat", || describe(fd))?.into())
}

/// The id of the mount that a file was opened in (`STATX_MNT_ID`, Linux 5.8). It is reused after the mount is gone.
pub fn mount_id(fd: BorrowedFd<'_>) -> Result<u64> {
    let wanted = rustix::fs::StatxFlags::from_bits_retain(libc::STATX_MNT_ID);
    let found = rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, wanted).or_error("statx", || describe(fd))?;
    Ok(found.stx_mnt_id)
}

/// The `f_type` of `fstatfs(2)`: one of the `*_MAGIC` numbers.
pub fn filesystem(fd: BorrowedFd<'_>) -> Result<i64> {
    Ok(rustix::fs::fstatfs(fd).or_error("fstatfs", || describe(fd))?.f_type as i64)
}

/// `openat(2)` with O_CLOEXEC and O_NOCTTY added. `path` is followed as the kernel follows it: only for trusted paths,
/// or one component with O_NOFOLLOW.
pub fn open_at(dir: BorrowedFd<'_>, path: &str, flags: i32, mode: u32) -> Result<OwnedFd> {
    let flags = OFlags::from_bits_retain(flags as u32) | OFlags::CLOEXEC | OFlags::NOCTTY;
    rustix::fs::openat(dir, path, flags, Mode::from_raw_mode(mode))
        .or_error("openat", || format!("{}, {path:?}, {:#o}", describe(dir), flags.bits()))
        .map_err(|error| error.on(path))
}

/// `mkdirat(2)`.
pub fn make_directory(dir: BorrowedFd<'_>, name: &str, mode: u32) -> Result<()> {
    rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(mode))
        .or_error("mkdirat", || format!("{}, {name:?}, {mode:#o}", describe(dir)))
        .map_err(|error| error.on(name))
}

/// `symlinkat(2)`.
pub fn make_symlink(target: &str, dir: BorrowedFd<'_>, name: &str) -> Result<()> {
    rustix::fs::symlinkat(target, dir, name)
        .or_error("symlinkat", || format!("{target:?}, {}, {name:?}", describe(dir)))
        .map_err(|error| error.on(name))
}

/// `readlinkat(2)`; an empty name reads the link that `dir` is (opened with O_PATH|O_NOFOLLOW). A target that is not
/// UTF-8 is EILSEQ.
pub fn read_link(dir: BorrowedFd<'_>, name: &str) -> Result<String> {
    let target = rustix::fs::readlinkat(dir, name, Vec::new())
        .or_error("readlinkat", || format!("{}, {name:?}", describe(dir)))?;
    target.into_string().map_err(|_| {
        crate::Error::new("readlinkat", format!("{}, {name:?}", describe(dir)), libc::EILSEQ).on(name)
    })
}

/// `unlinkat(2)`, of a directory with AT_REMOVEDIR.
pub fn remove(dir: BorrowedFd<'_>, name: &str, directory: bool) -> Result<()> {
    let flags = if directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
    rustix::fs::unlinkat(dir, name, flags)
        .or_error("unlinkat", || format!("{}, {name:?}, {:#x}", describe(dir), flags.bits()))
        .map_err(|error| error.on(name))
}

/// `fchownat(fd, "", uid, gid, AT_EMPTY_PATH)`: works on O_PATH descriptors too. `None` leaves an id alone.
pub fn change_owner(fd: BorrowedFd<'_>, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
    let show = |id: Option<u32>| id.map_or("-1".to_owned(), |id| id.to_string());
    let (user, group) = (uid.map(rustix::fs::Uid::from_raw), gid.map(rustix::fs::Gid::from_raw));
    rustix::fs::chownat(fd, "", user, group, AtFlags::EMPTY_PATH).or_error("fchownat", || {
        format!("{}, \"\", {}, {}, AT_EMPTY_PATH", describe(fd), show(uid), show(gid))
    })
}

/// `fchmod(2)`; not on O_PATH descriptors.
pub fn change_mode(fd: BorrowedFd<'_>, mode: u32) -> Result<()> {
    rustix::fs::fchmod(fd, Mode::from_raw_mode(mode))
        .or_error("fchmod", || format!("{}, {mode:#o}", describe(fd)))
}

/// Whether the file behind an O_PATH descriptor may be executed with the *effective* ids and capabilities:
/// `faccessat2(fd, "", X_OK, AT_EACCESS | AT_EMPTY_PATH)`. Linux 5.8; true on older kernels, where execve tells.
pub fn may_execute(fd: BorrowedFd<'_>) -> Result<()> {
    let flags = libc::AT_EACCESS | libc::AT_EMPTY_PATH;
    // SAFETY: the path is a static C string.
    let result =
        unsafe { libc::syscall(libc::SYS_faccessat2, fd.as_raw_fd(), c"".as_ptr(), libc::X_OK, flags) };
    match check(result, "faccessat2", || format!("{}, \"\", X_OK, AT_EACCESS|AT_EMPTY_PATH", describe(fd))) {
        Err(error) if error.errno() == libc::ENOSYS => Ok(()),
        other => other.map(drop),
    }
}

/// `stat(2)`: follows links, for paths inside the final root only.
pub fn status_of(path: &str) -> Result<Status> {
    Ok(rustix::fs::stat(path)
        .or_error("stat", || format!("{path:?}"))
        .map_err(|error| error.on(path))?
        .into())
}

/// Writes everything in one `write(2)`, as procfs and cgroup files want it; a short write is EIO.
pub fn write_once(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<()> {
    let arguments = || format!("{}, {:?}, {}", describe(fd), String::from_utf8_lossy(bytes), bytes.len());
    let written = rustix::io::write(fd, bytes).or_error("write", arguments)?;
    if written == bytes.len() { Ok(()) } else { Err(crate::Error::new("write", arguments(), libc::EIO)) }
}

/// What one `read(2)` gives, at most 4 KiB; empty at the end.
pub fn read_some(fd: BorrowedFd<'_>) -> Result<Vec<u8>> {
    let mut chunk = vec![0u8; 4096];
    let count = loop {
        match rustix::io::read(fd, &mut chunk) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other.or_error("read", || describe(fd))?,
        }
    };
    chunk.truncate(count);
    Ok(chunk)
}

/// Reads to the end, but never more than `limit` bytes: one more is EFBIG.
pub fn read_all(fd: BorrowedFd<'_>, limit: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let chunk = read_some(fd)?;
        if chunk.is_empty() {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&chunk);
        if bytes.len() > limit {
            return Err(crate::Error::new("read", describe(fd), libc::EFBIG));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn dev_null_is_recognised_by_its_numbers() {
        let fd = open_at(CWD, "/dev/null", libc::O_PATH, 0).unwrap();
        let status = status(fd.as_fd()).unwrap();
        assert!(status.is_char_device(1, 3));
        assert!(!status.is_char_device(1, 5));
    }

    #[test]
    fn a_failure_names_the_call_the_path_and_the_errno() {
        let error = open_at(CWD, "/nowhere/at/all", libc::O_RDONLY, 0).unwrap_err();
        assert_eq!(
            (error.call(), error.path(), error.errno()),
            ("openat", Some("/nowhere/at/all"), libc::ENOENT)
        );
        assert!(error.to_string().starts_with("openat(AT_FDCWD, \"/nowhere/at/all\", "), "{error}");
    }

    #[test]
    fn reading_stops_at_the_limit() {
        let fd = open_at(CWD, "/dev/zero", libc::O_RDONLY, 0).unwrap();
        assert_eq!(read_all(fd.as_fd(), 10_000).unwrap_err().errno(), libc::EFBIG);
    }
}
