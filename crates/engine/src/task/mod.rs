//! Lifecycle work that may wait: run by the pool, one task per container at a time, outside every lock.

pub mod agent;
pub mod connect;
pub mod console;
pub mod hooks;
pub mod map_ids;
pub mod net_devices;
pub mod prepare;
pub mod publish;
pub mod remove;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use caisson_sys::pidfd;
use caisson_sys::poll::{self, Waker};

use crate::record::Record;

/// A task's view of its container.
pub struct Subject {
    pub record: Arc<Record>,
    pub pid: i32,
    /// `None` if it was never cloned.
    pub pidfd: Option<Arc<OwnedFd>>,
    /// Readable on cancellation.
    pub cancelled: Option<Arc<Waker>>,
}

impl Subject {
    /// Sends SIGKILL to every process. A frozen process dies only when it is thawed, and in a shared pid namespace
    /// other processes outlive the first one: both are handled through the cgroup. Returns the other cgroup that
    /// keeps it frozen, if any.
    pub fn kill(&self) -> Option<String> {
        if let Some(cgroup) = self.record.cgroup() {
            let _ = cgroup.kill_all();
        }
        if let Some(pidfd) = &self.pidfd {
            let _ = pidfd::send_signal(&**pidfd, 9);
        }
        frozen(self.pidfd.as_ref()?, self.pid)
    }

    /// Whether the out-of-memory killer has ended one of its processes.
    pub fn oom_killed(&self) -> bool {
        self.record.cgroup().is_some_and(|cgroup| cgroup.oom_kill_count() > 0)
    }
}

/// How long a killed process may take before frozen cgroups are looked for.
const BRIEFLY: Duration = Duration::from_millis(200);

/// The version 1 cgroup that keeps a killed process from dying.
pub fn frozen(process: &OwnedFd, pid: i32) -> Option<String> {
    match poll::readable([process], Some(BRIEFLY)) {
        Ok([false]) => caisson_cgroup::frozen_by(pid).map(|cgroup| cgroup.display().to_string()),
        _ => None,
    }
}
