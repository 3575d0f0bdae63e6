//! What something is called until it is complete. Whoever makes it keeps it locked: what nobody locks was left by a process
//! that was killed.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::FlockOperation;

use crate::{Error, Kind, Result};

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A name that nothing else has: process, number, time.
fn unique_name(prefix: &str) -> Vec<u8> {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let clock = std::time::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos());
    format!("{prefix}{}-{number}-{clock}", std::process::id()).into_bytes()
}

/// A sweep takes one new name at most, and no name is made twice: more than a few failures in a row are another fault.
const ATTEMPTS: usize = 16;

/// Calls `make` with new names until it made something. `None`: the name exists, or a sweep removed it before it was locked.
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

/// Whether it belongs to our user and nobody makes it any more. It is locked then.
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
