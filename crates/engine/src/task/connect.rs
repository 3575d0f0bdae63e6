//! Connections to a listening socket of another program, which may accept nothing.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use caisson_code::{Code, Phase};
use caisson_sys::poll::{self, Waker};
use caisson_sys::{errno, socket};

use crate::failure::{Failure, Result};

/// Time limit for a listener with a full backlog.
const PATIENCE: Duration = Duration::from_secs(10);
/// The kernel does not report free backlog slots, so they are polled for.
const RETRY: Duration = Duration::from_millis(20);

/// Connects to a stream socket. Waits for a busy listener until `cancelled`. `what`: the operation, for the failure.
pub fn stream(path: &str, phase: Phase, what: &str, cancelled: Option<&Waker>) -> Result<OwnedFd> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match socket::connect_stream(path) {
            Err(error) if error.errno() == errno::EAGAIN && Instant::now() < deadline => {
                if given_up(cancelled) {
                    return Err(Failure::new(Code::InvalidState, phase, "cancelled"));
                }
            }
            other => return other.map_err(|error| Failure::syscall(phase, what, &error).on(path)),
        }
    }
}

/// Waits a moment; `true` on cancellation.
fn given_up(cancelled: Option<&Waker>) -> bool {
    let Some(cancelled) = cancelled else {
        std::thread::sleep(RETRY);
        return false;
    };
    let wanted = (cancelled.as_fd(), poll::Interest { read: true, write: false });
    poll::ready([wanted], Some(RETRY)).is_ok_and(|[woken]| woken)
}
