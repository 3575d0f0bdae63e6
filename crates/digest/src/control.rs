//! Cancellation and progress, shared with the caller.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use caisson_sys::poll::Waker;

/// Progress of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub read: u64,
    /// Size of the file when it was opened; `None` if it has no size or a meaningless one.
    pub total: Option<u64>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    read: AtomicU64,
    total: AtomicU64, // 0: unknown
    waker: Mutex<Option<Arc<Waker>>>,
}

/// Cheap to clone; checked once per buffer.
#[derive(Debug, Clone, Default)]
pub struct Control(Arc<Shared>);

impl Control {
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        if let Some(waker) = &*self.0.waker.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake();
        }
    }

    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::SeqCst)
    }

    pub fn progress(&self) -> Progress {
        let total = self.0.total.load(Ordering::Relaxed);
        Progress { read: self.0.read.load(Ordering::Relaxed), total: (total > 0).then_some(total) }
    }

    pub(crate) fn expect(&self, bytes: u64) {
        self.0.total.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, bytes: usize) {
        self.0.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A descriptor for poll(2) that becomes readable when `stop` is or was called.
    pub(crate) fn waker(&self) -> caisson_sys::Result<Arc<Waker>> {
        let mut slot = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = &*slot {
            return Ok(Arc::clone(waker));
        }
        let waker = Arc::new(Waker::new()?);
        if self.is_stopped() {
            waker.wake();
        }
        *slot = Some(Arc::clone(&waker));
        Ok(waker)
    }
}

#[cfg(test)]
mod tests {
    use caisson_sys::poll::readable_now;

    use super::*;

    #[test]
    fn a_stop_is_seen_whether_it_comes_before_or_after_the_waiting() {
        let (before, after) = (Control::default(), Control::default());
        before.stop();
        assert!(readable_now(&*before.waker().unwrap()).unwrap());
        let waker = after.waker().unwrap();
        assert!(!readable_now(&*waker).unwrap());
        after.stop();
        assert!(readable_now(&*waker).unwrap() && after.is_stopped());
    }
}
