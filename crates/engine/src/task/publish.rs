//! The container is created: sends its terminal to the console socket, and updates state.json.

use std::os::fd::OwnedFd;

use caisson_state::HostMounts;
use caisson_sys::pidfd;

use super::{Subject, console};
use crate::failure::Result;
use crate::state::{Progress, StateFile};

/// Returns the start time of the first process.
pub fn publish(subject: &Subject, master: Option<&OwnedFd>) -> Result<u64> {
    let Subject { record, pid, cancelled, .. } = subject;
    if let (Some(path), Some(master)) = (&record.console_socket, master) {
        console::send(path, master, cancelled.as_deref())?;
    }
    let start_time = pidfd::state_and_start_time(*pid).map_or(0, |(_, time)| time);
    record.directory.write_state(&StateFile {
        pid: Some(*pid),
        start_time: Some(start_time.to_string()),
        status: Progress::Ready,
        host_mounts: record.state.host_mounts.as_ref().map(HostMounts::complete),
        ..record.state.clone()
    })?;
    Ok(start_time)
}
