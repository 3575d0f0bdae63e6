//! Whether a recorded process still exists: a pid alone is not enough, as pids are reused.

use std::os::fd::OwnedFd;
use std::path::Path;

use caisson_sys::pidfd;
use rustix::io::Errno;

use crate::cleanup::CleanupRecord;
use crate::document::StateFile;
use crate::error::{Error, Result};

/// Changes with every boot; empty without procfs.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Whether the process is alive. A zombie is not.
pub fn is_alive(pid: i32, start_time: &str) -> bool {
    pidfd::state_and_start_time(pid)
        .is_ok_and(|(letter, time)| !matches!(letter, 'Z' | 'X') && time.to_string() == start_time)
}

impl StateFile {
    /// Whether the creating process is alive.
    pub fn owner_is_alive(&self) -> bool {
        self.boot_id == boot_id() && is_alive(self.owner_pid, &self.owner_start_time)
    }

    /// Incomplete or attached, with a dead owner.
    pub fn is_orphan(&self) -> bool {
        (self.status == crate::Progress::Creating || self.attached) && !self.owner_is_alive()
    }
}

/// Opens the container's first process if it is still the same and alive. A reused pid has another start time, and a
/// pid from before a reboot another boot id.
pub fn open_process(record: &CleanupRecord) -> Result<Option<OwnedFd>> {
    let (Some(pid), Some(start_time)) = (record.pid, &record.start_time) else { return Ok(None) };
    if boot_id() != record.boot_id {
        return Ok(None);
    }
    let process = match pidfd::open(pid) {
        Ok(process) => process,
        Err(error) if error.errno() == Errno::SRCH.raw_os_error() => return Ok(None),
        Err(error) => {
            let path = format!("/proc/{pid}");
            return Err(Error::system(
                "pidfd_open",
                Path::new(&path),
                Errno::from_raw_os_error(error.errno()),
            ));
        }
    };
    // Read after opening the descriptor, so that it describes the process of the descriptor.
    Ok(is_alive(pid, start_time).then_some(process))
}
