//! What a thread behind a filter and one that is not say to each other, in memory alone.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// From the thread that loads a filter with a listener to the one that sends the listener away. The filter is of the
/// first thread only, and execve(2) ends the second.
#[derive(Debug)]
pub struct Handover {
    listener: AtomicI32,
    sent: AtomicBool,
    over: AtomicBool,
}

impl Default for Handover {
    fn default() -> Self {
        Self { listener: AtomicI32::new(-1), sent: AtomicBool::new(false), over: AtomicBool::new(false) }
    }
}

impl Handover {
    /// The listener, once the filter is loaded.
    pub fn listener(&self) -> Option<BorrowedFd<'_>> {
        let number = self.listener.load(Ordering::Acquire);
        // SAFETY: the kernel has made this descriptor; only exec closes it, and the process with it.
        (number >= 0).then(|| unsafe { BorrowedFd::borrow_raw(number) })
    }

    /// The listener is where it belongs: the program may be executed.
    pub fn sent(&self) {
        self.sent.store(true, Ordering::Release);
    }

    /// The program was not executed, and will not be.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// The same without a filter having been loaded: the other thread has nothing to send.
    pub fn give_up(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub(super) fn await_sent(&self, listener: i32) {
        self.listener.store(listener, Ordering::Release);
        // Any call that waits might be filtered.
        while !self.sent.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
    }

    pub(super) fn end(&self) -> ! {
        self.give_up();
        loop {
            std::hint::spin_loop();
        }
    }
}
