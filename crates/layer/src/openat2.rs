//! openat2(2) with a limited number of retries.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// SECURITY: EAGAIN means a concurrent rename, and a process that renames in a loop could keep us here forever.
const MAX_RETRIES: usize = 128;

pub fn openat2(
    root: impl AsFd,
    path: &[u8],
    flags: OFlags,
    resolve: ResolveFlags,
) -> rustix::io::Result<OwnedFd> {
    retrying(|| rustix::fs::openat2(root.as_fd(), path, flags, Mode::empty(), resolve))
}

fn retrying<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    let mut attempt = 0;
    loop {
        match call() {
            Err(Errno::AGAIN | Errno::INTR) if attempt < MAX_RETRIES => attempt += 1,
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_renamed_all_the_time_is_given_up() {
        let mut calls = 0;
        let given_up = retrying(|| -> rustix::io::Result<()> {
            calls += 1;
            Err(Errno::AGAIN)
        });
        assert_eq!((given_up, calls), (Err(Errno::AGAIN), MAX_RETRIES + 1));
    }
}
