//! One container as the engine that created it knows it.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use caisson_cgroup::Cgroup;
use caisson_sys::pidfd::{self, Exit};

use crate::request::{Handle, Token};
use crate::state::{StateDirectory, StateFile};

#[derive(Debug)]
pub struct Container {
    pub handle: Handle,
    pub root: PathBuf,
    pub directory: StateDirectory,
    pub state: StateFile,
    pub cgroup: Option<Cgroup>,
    pub pid: i32,
    pub start_time: u64,
    pub pidfd: Arc<OwnedFd>,
    /// Open until the helper execs or dies.
    pub control: Option<OwnedFd>,
    pub stage: Stage,
    /// The request that waits for the next stage.
    pub token: Option<Token>,
    pub attached: bool,
    /// Nobody wants to hear of it any more.
    pub released: bool,
    pub streams: [Option<OwnedFd>; 3],
    pub console: Option<OwnedFd>,
    pub console_socket: Option<String>,
    pub warnings: Vec<String>,
    /// Maps that the parent writes after a second clone.
    pub user_namespace: Option<caisson_plan::UserNamespace>,
}

/// How far the helper has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Setup,
    /// Waits for `proceed`.
    Hooks,
    Created,
    Ended,
}

impl Container {
    /// Whether the kernel's out-of-memory killer was the likely end of it.
    pub fn oom_killed(&self, exit: Exit) -> bool {
        let killed = matches!(exit, Exit::Signal(9) | Exit::Code(137));
        killed && self.cgroup.as_ref().is_some_and(|cgroup| cgroup.oom_kill_count() > 0)
    }

    /// Ends every process of it, at once.
    pub fn kill(&self) {
        if let Some(cgroup) = &self.cgroup {
            // Without a pid namespace processes survive the first one; a frozen process dies only when it is thawed.
            let _ = cgroup.kill_all();
        }
        let _ = pidfd::send_signal(&*self.pidfd, 9);
    }
}
