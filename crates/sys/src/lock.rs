//! flock(2), the lock between processes: of state directories, stores, snapshots and unfinished files. The kernel
//! releases it when its holder dies. Node has none.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Shared,
    Exclusive,
}

/// Shortest and longest sleep between two attempts.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(25);

/// Takes the lock if no process has a conflicting one; `false` otherwise. It is held until the descriptor (and every
/// duplicate) is closed.
pub fn try_lock(fd: impl AsFd, mode: Mode) -> Result<bool> {
    let (operation, name) = match mode {
        Mode::Shared => (FlockOperation::NonBlockingLockShared, "LOCK_SH | LOCK_NB"),
        Mode::Exclusive => (FlockOperation::NonBlockingLockExclusive, "LOCK_EX | LOCK_NB"),
    };
    match rustix::fs::flock(fd, operation) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(false),
        Err(errno) => Err(Error::new("flock", name, errno.raw_os_error())),
    }
}

/// Tries until the lock is taken, or `go_on`, which is asked before each pause, says no: `false`. A blocking flock(2)
/// can neither be cancelled nor has it a time limit.
pub fn wait<E: From<Error>>(
    fd: impl AsFd,
    mode: Mode,
    mut go_on: impl FnMut() -> Result<bool, E>,
) -> Result<bool, E> {
    let mut pause = SHORTEST;
    while !try_lock(&fd, mode)? {
        if !go_on()? {
            return Ok(false);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST);
    }
    Ok(true)
}

/// A process that holds a flock(2) on the file, as proc_locks(5) tells: 0 where it is in another pid namespace.
/// `None` if no process is named.
pub fn holder(fd: impl AsFd) -> Option<i32> {
    let status = rustix::fs::fstat(fd).ok()?;
    let (major, minor) = (rustix::fs::major(status.st_dev), rustix::fs::minor(status.st_dev));
    find_holder(&std::fs::read_to_string("/proc/locks").ok()?, major, minor, status.st_ino)
}

/// In lines such as `7: FLOCK  ADVISORY  WRITE 1234 08:01:12345 0 EOF`, with device numbers in hexadecimal.
fn find_holder(locks: &str, major: u32, minor: u32, inode: u64) -> Option<i32> {
    let file = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        match fields[..] {
            [_, "FLOCK", _, _, pid, found, ..] if found == file => pid.parse().ok(),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_by_device_and_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 08:01:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 22 08:01:77 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 33 08:01:77 0 EOF\n3: FLOCK  ADVISORY  READ 44 fe:1a:77 0 EOF\n";
        assert_eq!(find_holder(locks, 8, 1, 77), Some(22));
        assert_eq!(find_holder(locks, 0xfe, 0x1a, 77), Some(44));
        assert_eq!(find_holder(locks, 8, 1, 78), None);
    }

    #[test]
    fn a_wait_ends_when_it_may_not_go_on() {
        let directory = std::env::temp_dir();
        let open = || std::fs::File::open(&directory).unwrap();
        let (first, second) = (open(), open());
        let no = || Ok::<_, Error>(false);
        // The directory is shared: another process may have its lock, but both cannot have it.
        let taken = wait(&first, Mode::Shared, no).unwrap();
        assert!(!taken || !wait(&second, Mode::Exclusive, no).unwrap());
    }
}
