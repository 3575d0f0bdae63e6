//! Copying files by descriptor: names of a directory, content, modes, times.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Mode, RawDir, Timespec, Timestamps};

use crate::call::{OrError, describe};
use crate::{Error, Result};

/// The names in a directory opened for reading, without `.` and `..`. A name that is not UTF-8 is EILSEQ.
pub fn names(directory: BorrowedFd<'_>) -> Result<Vec<String>> {
    let mut buffer = Vec::with_capacity(8192);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    let mut names = vec![];
    while let Some(entry) = entries.next() {
        let entry = entry.or_error("getdents64", || describe(directory))?;
        match entry.file_name().to_str() {
            Ok("." | "..") => {}
            Ok(name) => names.push(name.to_owned()),
            Err(_) => return Err(Error::new("getdents64", describe(directory), libc::EILSEQ)),
        }
    }
    Ok(names)
}

/// Copies from the one's offset to its end.
pub fn content(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    loop {
        let arguments = || format!("{}, {}, NULL, {CHUNK}", describe(to), describe(from));
        match rustix::fs::sendfile(to, from, None, CHUNK).or_error("sendfile", arguments)? {
            0 => return Ok(()),
            _ => continue,
        }
    }
}

const CHUNK: usize = 1 << 30;

/// `fchmodat(2)`; follows a link: only for names in a directory that no other process reaches.
pub fn mode(dir: BorrowedFd<'_>, name: &str, permissions: u32) -> Result<()> {
    rustix::fs::chmodat(dir, name, Mode::from_raw_mode(permissions), AtFlags::empty())
        .or_error("fchmodat", || format!("{}, {name:?}, {permissions:#o}", describe(dir)))
        .map_err(|error| error.on(name))
}

/// Gives `name` in `dir` the times of last access and change of content that `from` has.
pub fn times(from: BorrowedFd<'_>, dir: BorrowedFd<'_>, name: &str) -> Result<()> {
    let stat = rustix::fs::fstat(from).or_error("fstat", || describe(from))?;
    let time = |seconds: i64, nanoseconds: u64| Timespec { tv_sec: seconds, tv_nsec: nanoseconds as _ };
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    };
    rustix::fs::utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)
        .or_error("utimensat", || format!("{}, {name:?}", describe(dir)))
        .map_err(|error| error.on(name))
}
