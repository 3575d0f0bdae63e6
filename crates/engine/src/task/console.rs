//! Sends the pty's master to the console socket of the calling engine: one message, with its name as payload.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use caisson_code::{Code, Phase};
use caisson_sys::poll::{self, Waker};
use caisson_sys::{Error, errno, socket};

use crate::failure::{Failure, Result};

/// Time limit for a listener with a full backlog.
const PATIENCE: Duration = Duration::from_secs(10);
/// The kernel does not report free backlog slots, so they are polled for.
const RETRY: Duration = Duration::from_millis(20);

/// Sends the master. Waits for a busy listener until `cancelled`.
pub fn send(path: &str, master: &OwnedFd, cancelled: Option<&Waker>) -> Result<()> {
    let failed = |error: Error| {
        Failure::syscall(Phase::Setup, "cannot send the terminal to the console socket", &error).on(path)
    };
    let deadline = Instant::now() + PATIENCE;
    let socket = loop {
        match socket::connect_stream(path) {
            Err(error) if error.errno() == errno::EAGAIN && Instant::now() < deadline => {
                if given_up(cancelled) {
                    return Err(Failure::new(Code::InvalidState, Phase::Setup, "cancelled"));
                }
            }
            other => break other.map_err(failed)?,
        }
    };
    socket::send(&socket, b"/dev/ptmx", &[master]).map_err(failed)
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
