//! Connects to the agent that answers system calls: the one of `listenerPath`, or this process. The helper sends it the
//! listener of the filter, so that the listener is delivered before the program runs.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use caisson_code::Phase;
use caisson_sys::poll::Waker;

use super::{Subject, connect};
use crate::engine::Shared;
use crate::failure::Result;
use crate::system_calls;

/// Waits for a busy agent until the start is cancelled.
pub fn reach(shared: &Arc<Shared>, subject: &Subject) -> Result<OwnedFd> {
    match subject.record.plan.listener().and_then(|listener| listener.path.as_deref()) {
        Some(path) => connect(path, subject.cancelled.as_deref()),
        None => system_calls::serve(shared, subject.record.handle),
    }
}

/// COMPAT(runc): its wording.
pub fn connect(path: &str, cancelled: Option<&Waker>) -> Result<OwnedFd> {
    let what = "failed to connect with seccomp agent specified in the seccomp profile";
    connect::stream(path, Phase::Start, what, cancelled)
}
