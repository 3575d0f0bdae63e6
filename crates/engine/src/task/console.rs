//! Sends the pty's master to the console socket of the calling engine: one message, with its name as payload.

use std::os::fd::OwnedFd;

use caisson_code::Phase;
use caisson_sys::poll::Waker;
use caisson_sys::socket;

use super::connect;
use crate::failure::{Failure, Result};

const WHAT: &str = "cannot send the terminal to the console socket";

/// Sends the master. Waits for a busy listener until `cancelled`.
pub fn send(path: &str, master: &OwnedFd, cancelled: Option<&Waker>) -> Result<()> {
    let socket = connect::stream(path, Phase::Setup, WHAT, cancelled)?;
    socket::send(&socket, b"/dev/ptmx", &[master])
        .map_err(|error| Failure::syscall(Phase::Setup, WHAT, &error).on(path))
}
