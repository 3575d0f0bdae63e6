//! The work of the lifecycle that may wait: run by the pool, one task of a container at a time, outside every lock.

pub mod console;
pub mod hooks;
pub mod map_ids;
pub mod mapped_store;
pub mod prepare;
pub mod publish;
pub mod remove;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use caisson_sys::pidfd;
use caisson_sys::poll::{self, Waker};

use crate::record::Record;

/// What a task knows of its container.
pub struct Subject {
    pub record: Arc<Record>,
    pub pid: i32,
    /// `None`: it was never cloned.
    pub pidfd: Option<Arc<OwnedFd>>,
    /// Readable once the task is to give up.
    pub cancelled: Option<Arc<Waker>>,
}

impl Subject {
    /// SIGKILL to every process. A frozen one dies only when it is thawed, and without a pid namespace the others
    /// outlive the first: both go by the cgroup.
    /// Gives the foreign cgroup that keeps it from dying, if there is one.
    pub fn kill(&self) -> Option<String> {
        if let Some(cgroup) = self.record.cgroup() {
            let _ = cgroup.kill_all();
        }
        if let Some(pidfd) = &self.pidfd {
            let _ = pidfd::send_signal(&**pidfd, 9);
        }
        frozen(self.pidfd.as_ref()?, self.pid)
    }

    /// Whether the out-of-memory killer has ended a process of it.
    pub fn oom_killed(&self) -> bool {
        self.record.cgroup().is_some_and(|cgroup| cgroup.oom_kill_count() > 0)
    }
}

/// How long a killed process may take before it is asked what holds it.
const BRIEFLY: Duration = Duration::from_millis(200);

/// The version 1 cgroup that keeps a killed process from dying.
pub fn frozen(process: &OwnedFd, pid: i32) -> Option<String> {
    match poll::readable([process], Some(BRIEFLY)) {
        Ok([false]) => caisson_cgroup::frozen_by(pid).map(|cgroup| cgroup.display().to_string()),
        _ => None,
    }
}
