//! What something is called until it is complete. Whoever makes it keeps it locked: what nobody locks was left by a process
//! that was killed.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::FlockOperation;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A name that nothing else has: process, number, time.
pub fn unique_name(prefix: &str) -> Vec<u8> {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let clock = std::time::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos());
    format!("{prefix}{}-{number}-{clock}", std::process::id()).into_bytes()
}

/// Whether it belongs to our user and nobody makes it any more. It is locked then.
pub fn is_abandoned(left: &OwnedFd) -> bool {
    let us = rustix::process::geteuid().as_raw();
    rustix::fs::fstat(left).is_ok_and(|status| status.st_uid == us)
        && rustix::fs::flock(left, FlockOperation::NonBlockingLockExclusive).is_ok()
}
