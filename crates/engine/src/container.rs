//! One container as the engine that created it knows it.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use caisson_cgroup::Cgroup;
use caisson_sys::pidfd::{self, Exit};

use crate::guard::Guard;
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
    /// Who has cloned it, and cleans up after it where it is attached.
    pub guard: Arc<Guard>,
    /// Open until the helper execs or dies.
    pub control: Option<OwnedFd>,
    /// A start that was asked for on the control socket.
    pub starting: Option<Starting>,
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
    /// There are poststart or poststop hooks.
    pub later_hooks: bool,
    /// Maps that the parent writes after a second clone.
    pub user_namespace: Option<caisson_plan::UserNamespace>,
}

/// Who waits for a start.
#[derive(Debug, Clone, Copy)]
pub struct Starting {
    pub token: Token,
    /// The helper has taken the request: its end of file is success from now on.
    pub taken: bool,
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
