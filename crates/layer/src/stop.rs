//! Cancellation and progress, shared with the thread that requested the work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::{Error, Kind, Result};

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    read: AtomicU64,
    entries: AtomicU64,
}

/// Cheap to clone; checked once per chunk and once per entry.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Shared>);

impl Stop {
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }

    /// `Stopped` once the work was cancelled.
    pub fn check(&self) -> Result<()> {
        if self.0.stopped.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Stopped, "the operation was aborted"));
        }
        Ok(())
    }

    pub(crate) fn count_read(&self, bytes: u64) {
        self.0.read.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn count_entry(&self) {
        self.0.entries.fetch_add(1, Ordering::Relaxed);
    }

    /// Compressed bytes read and entries applied so far.
    pub fn progress(&self) -> (u64, u64) {
        (self.0.read.load(Ordering::Relaxed), self.0.entries.load(Ordering::Relaxed))
    }
}
