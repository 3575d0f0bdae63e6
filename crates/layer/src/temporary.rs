//! Temporary names. The maker of a temporary file or directory keeps it locked; an unlocked one was left by a killed
//! process.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::FlockOperation;

use crate::{Error, Kind, Result};

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A unique name from process id, counter and time.
fn unique_name(prefix: &str) -> Vec<u8> {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let clock = std::time::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos());
    format!("{prefix}{}-{number}-{clock}", std::process::id()).into_bytes()
}

/// A sweep removes at most one new name, and names are unique: more failures in a row have another cause.
const ATTEMPTS: usize = 16;

/// Calls `make` with new names until it succeeds. `None` means that the name exists, or a sweep removed it before it
/// was locked.
pub fn with_unique_name<T>(
    prefix: &str,
    mut make: impl FnMut(&[u8]) -> Result<Option<T>>,
) -> Result<(Vec<u8>, T)> {
    for _ in 0..ATTEMPTS {
        let name = unique_name(prefix);
        if let Some(made) = make(&name)? {
            return Ok((name, made));
        }
    }
    let message = format!("cannot lock a new entry: removed by another process {ATTEMPTS} times");
    Err(Error::new(Kind::Changed, message))
}

/// Whether it belongs to the effective user and its maker is gone. If so, it is locked afterwards.
pub fn is_abandoned(left: &OwnedFd) -> bool {
    let us = rustix::process::geteuid().as_raw();
    rustix::fs::fstat(left).is_ok_and(|status| status.st_uid == us)
        && rustix::fs::flock(left, FlockOperation::NonBlockingLockExclusive).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tried_a_few_times_and_a_failure_is_final() {
        let mut names = Vec::new();
        let error = with_unique_name("x", |name| {
            names.push(name.to_vec());
            Ok(None::<()>)
        })
        .unwrap_err();
        assert_eq!((error.kind, names.len()), (Kind::Changed, ATTEMPTS));
        names.dedup();
        assert_eq!(names.len(), ATTEMPTS);

        let mut calls = 0;
        let failed = with_unique_name("x", |_| -> Result<Option<()>> {
            calls += 1;
            Err(Error::system("openat", b"x", rustix::io::Errno::MFILE))
        });
        assert_eq!((failed.is_err(), calls), (true, 1));
    }
}
