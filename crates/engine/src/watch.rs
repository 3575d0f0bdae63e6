//! The exit of a container created by another process, from its pidfd and the kernel's information about it.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use caisson_code::{Code, Phase};
use caisson_sys::pidfd::{self, Exit};
use caisson_sys::poll;

use crate::failure::{Failure, Result};
use crate::request::{Event, Handle};
use crate::state::{StateDirectory, not_found};
use crate::status;

/// A parent that takes longer than this to reap its child most likely never will.
const COLLECTED: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Watched {
    pub pidfd: OwnedFd,
    cgroup: caisson_cgroup::Cgroup,
}

/// Fails with `ERR_INVALID_STATE` if it has already ended: its exit status is lost.
pub fn open(root: &Path, id: &str) -> Result<Watched> {
    let state = StateDirectory::open(root, id)?.read_state()?.ok_or_else(|| not_found(id))?;
    let cgroup = caisson_cgroup::Cgroup::open(&state.cgroup.mode, &state.cgroup.directories);
    let pidfd = status::process(&state)?.ok_or_else(|| {
        Failure::new(Code::InvalidState, Phase::Wait, format!("container not running: {id}"))
    })?;
    Ok(Watched { pidfd, cgroup })
}

impl Watched {
    /// How it ended. The kernel tells processes other than the parent only once the parent has reaped it, which usually
    /// follows at once but may never happen.
    pub fn exit(&self, handle: Handle) -> Event {
        let exit = match pidfd::wait(&self.pidfd, false) {
            Ok(exit) => exit, // it was reparented to us (pid 1, a subreaper)
            Err(_) => pidfd::exit_of_stranger(&self.pidfd),
        };
        let exit = exit.or_else(|| {
            let _ = poll::hung_up(&self.pidfd, COLLECTED);
            pidfd::exit_of_stranger(&self.pidfd)
        });
        let suspect = matches!(exit, Some(Exit::Signal(9) | Exit::Code(137)));
        Event::Exit { handle, exit, oom_killed: suspect && self.cgroup.oom_kill_count() > 0 }
    }
}
