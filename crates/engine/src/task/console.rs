//! The engine of a terminal listens on a stream socket: one message with the pty's master, its name as payload.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use caisson_sys::poll::{self, Waker};
use caisson_sys::{Error, errno, socket};

use crate::failure::{Failure, Result};

/// How long a listener with a full backlog is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The kernel cannot report a free place in a backlog: it is looked for.
const RETRY: Duration = Duration::from_millis(20);

/// Hands the master over. Waits for a listener that is busy until `cancelled`.
pub fn send(path: &str, master: &OwnedFd, cancelled: Option<&Waker>) -> Result<()> {
    let failed = |error: Error| {
        Failure::syscall("setup", "cannot send the terminal to the console socket", &error).on(path)
    };
    let deadline = Instant::now() + PATIENCE;
    let socket = loop {
        match socket::connect_stream(path) {
            Err(error) if error.errno() == errno::EAGAIN && Instant::now() < deadline => {
                if given_up(cancelled) {
                    return Err(Failure::new("ERR_INVALID_STATE", "setup", "cancelled"));
                }
            }
            other => break other.map_err(failed)?,
        }
    };
    socket::send(&socket, b"/dev/ptmx", &[master]).map_err(failed)
}

/// Waits a moment; `true`: the caller gave up.
fn given_up(cancelled: Option<&Waker>) -> bool {
    let Some(cancelled) = cancelled else {
        std::thread::sleep(RETRY);
        return false;
    };
    let wanted = (cancelled.as_fd(), poll::Interest { read: true, write: false });
    poll::ready([wanted], Some(RETRY)).is_ok_and(|[woken]| woken)
}
