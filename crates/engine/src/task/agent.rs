//! Connects to the agent that answers system calls: the one of `listenerPath`, or this process. The helper sends it the
//! listener of the filter, so that the listener is delivered before the program runs.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;

use caisson_code::{Code, Phase};
use caisson_plan::Plan;
use caisson_sys::poll::Waker;

use super::{Subject, connect};
use crate::engine::Shared;
use crate::failure::{Failure, Result};
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

/// The agent is reached at the start. One that is not there is told at the create, before any effect, as by the peers.
pub fn check(plan: &Plan) -> Result<()> {
    let Some(path) = plan.listener().and_then(|listener| listener.path.as_deref()) else { return Ok(()) };
    let what = "linux.seccomp.listenerPath";
    match fs::metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => Ok(()),
        Ok(_) => {
            Err(Failure::new(Code::InvalidSpec, Phase::Validate, format!("{what} {path}: not a socket"))
                .on(path))
        }
        Err(error) => Err(Failure {
            code: Code::InvalidSpec,
            ..Failure::io(Phase::Validate, what, Path::new(path), &error)
        }),
    }
}
