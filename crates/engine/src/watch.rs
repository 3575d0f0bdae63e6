//! The end of processes that are not ours, from their pidfds: containers created by another process, with what the
//! kernel tells of their exit, and the parents that containers of ours end with.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use caisson_code::{Code, Phase};
use caisson_sys::pidfd::{self, Exit};
use caisson_sys::{errno, poll};

use crate::failure::{Failure, Result};
use crate::request::{Event, Handle};
use crate::state::{StateDirectory, not_found};
use crate::status;

/// A parent that takes longer than this to reap its child most likely never will.
const COLLECTED: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Watched {
    pub pidfd: OwnedFd,
    /// `None` for a process without a container: only its end counts.
    cgroup: Option<caisson_cgroup::Cgroup>,
}

/// Fails with `ERR_INVALID_STATE` if it has already ended: its exit status is lost.
pub fn open(root: &Path, id: &str) -> Result<Watched> {
    let state = StateDirectory::open(root, id)?.read_state()?.ok_or_else(|| not_found(id))?;
    let cgroup = caisson_cgroup::Cgroup::open(&state.cgroup.mode, &state.cgroup.directories);
    let pidfd = status::process(&state)?.ok_or_else(|| {
        Failure::new(Code::InvalidState, Phase::Wait, format!("container not running: {id}"))
    })?;
    Ok(Watched { pidfd, cgroup: Some(cgroup) })
}

/// Any process, by pid and start time (clock ticks since boot). Fails with `ERR_INVALID_STATE` if it has ended.
pub fn process(pid: i32, start_time: &str) -> Result<Watched> {
    let gone = || Failure::new(Code::InvalidState, Phase::Wait, format!("process not running: {pid}"));
    let pidfd = match pidfd::open(pid) {
        Err(error) if error.errno() == errno::ESRCH => return Err(gone()),
        opened => opened.map_err(|error| Failure::syscall(Phase::Wait, "cannot watch a process", &error))?,
    };
    // Read after opening the descriptor, so that it describes the process of the descriptor.
    if !caisson_state::is_alive(pid, start_time) {
        return Err(gone());
    }
    Ok(Watched { pidfd, cgroup: None })
}

impl Watched {
    /// How it ended. The kernel tells processes other than the parent only once the parent has reaped it, which usually
    /// follows at once but may never happen.
    pub fn exit(&self, handle: Handle) -> Event {
        let Some(cgroup) = &self.cgroup else {
            return Event::Exit { handle, exit: None, oom_killed: false };
        };
        let exit = match pidfd::wait(&self.pidfd, false) {
            Ok(exit) => exit, // it was reparented to us (pid 1, a subreaper)
            Err(_) => pidfd::exit_of_stranger(&self.pidfd),
        };
        let exit = exit.or_else(|| {
            let _ = poll::hung_up(&self.pidfd, COLLECTED);
            pidfd::exit_of_stranger(&self.pidfd)
        });
        let suspect = matches!(exit, Some(Exit::Signal(9) | Exit::Code(137)));
        Event::Exit { handle, exit, oom_killed: suspect && cgroup.oom_kill_count() > 0 }
    }
}
