//! Our side of the guard: one helper process per engine that outlives Node by the moment it takes to clean up after it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use caisson_plan::protocol::{self, GuardReply, GuardRequest, MAX_MESSAGE, fd};
use caisson_sys::spawn::{Spawn, spawn};
use caisson_sys::{descriptor, pidfd, poll, socket};

use crate::denied;
use crate::failure::{Failure, Result};
use crate::program::Program;

/// A running guard. Dropping it closes its socket: with nothing registered it exits.
#[derive(Debug)]
pub struct Guard {
    socket: OwnedFd,
    process: OwnedFd,
}

impl Guard {
    /// Starts a guard that watches this process.
    pub fn start(program: &Program) -> Result<Self> {
        let failed = |e: caisson_sys::Error| Failure::syscall("spawn", "cannot start the guard", &e);
        let (ours, theirs) = socket::pair().map_err(failed)?;
        let node = pidfd::open(std::process::id().cast_signed()).map_err(failed)?;
        let null = descriptor::null().map_err(failed)?;
        let descriptors = [
            (null.as_fd(), 0),
            (null.as_fd(), 1),
            (null.as_fd(), 2),
            (theirs.as_fd(), fd::CONTROL),
            (node.as_fd(), fd::PLAN), // the guard has no plan: Node's pidfd takes the place
        ];
        let spawned = program
            .start(|program| {
                spawn(&Spawn {
                    program,
                    arguments: &[c"caisson-init", c"guard"],
                    environment: &[],
                    descriptors: &descriptors,
                    namespaces: 0,
                    cgroup: None,
                })
            })
            .map_err(|e| denied::clone_failure(&e, false, 0))?;
        Ok(Self { socket: ours, process: spawned.pidfd })
    }

    /// Tells the guard of a container before it exists, and waits until it knows.
    pub fn register(
        &self,
        token: u64,
        state_directory: &Path,
        cgroup_directories: Vec<String>,
    ) -> Result<()> {
        let state_directory = state_directory.display().to_string();
        self.send(&GuardRequest::Register { token, state_directory, cgroup_directories }, &[])?;
        // A guard answers within microseconds; a minute without an answer means that it is stopped, and waiting longer would not help.
        let [ready] = poll::readable([&self.socket], Some(Duration::from_secs(60))).map_err(|e| lost(&e))?;
        let message = if ready {
            socket::receive(&self.socket, MAX_MESSAGE, false).map_err(|e| lost(&e))?
        } else {
            None
        };
        match message.map(|m| protocol::decode::<GuardReply>(&m.bytes)) {
            Some(Ok(GuardReply::Registered { token: answered })) if answered == token => Ok(()),
            _ => {
                Err(Failure::new("ERR_SYSCALL", "spawn", "the guard process did not acknowledge a container"))
            }
        }
    }

    /// The container's first process exists.
    pub fn started(&self, token: u64, pidfd: &OwnedFd) -> Result<()> {
        self.send(&GuardRequest::Started { token }, &[pidfd])
    }

    /// The container is gone. A guard that is gone too has nothing to forget.
    pub fn forget(&self, token: u64) {
        let _ = self.send(&GuardRequest::Forget { token }, &[]);
    }

    /// Whether the guard still runs; reaps it when not.
    pub fn is_alive(&self) -> bool {
        matches!(pidfd::wait(&self.process, false), Ok(None))
    }

    fn send(&self, request: &GuardRequest, descriptors: &[&OwnedFd]) -> Result<()> {
        let bytes =
            protocol::encode(request).map_err(|e| Failure::new("ERR_SYSCALL", "spawn", e.to_string()))?;
        socket::send(&self.socket, &bytes, descriptors).map_err(|e| lost(&e))
    }
}

impl Drop for Guard {
    /// Ends the guard: end of file, then its exit is collected.
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        let _ = pidfd::wait(&self.process, true);
    }
}

fn lost(error: &caisson_sys::Error) -> Failure {
    Failure::syscall("spawn", "the guard process is lost", error)
}
