//! Our side of the guard: a small process with one thread, by which all first processes of containers are cloned, and
//! which outlives Node by the moment it takes to clean up after it.

use std::os::fd::{AsFd, OwnedFd};

use caisson_plan::protocol::{self, CleanupTargets, GuardReply, GuardRequest, MAX_MESSAGE, fd};
use caisson_sys::spawn::{Spawn, spawn};
use caisson_sys::{Error, credentials, descriptor, errno, pidfd, socket};

use crate::denied;
use crate::failure::{Failure, Result};
use crate::program::Program;

/// What a container's first process has from the process that clones it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    ids: [u32; 6],
    /// A container with cgroups of its own. The others stay in the caller's, which the guard of these leaves.
    placed: bool,
}

impl Origin {
    /// Of this process as it is now: Node may have changed its ids.
    pub fn now(placed: bool) -> Self {
        Self { ids: credentials::all_ids(), placed }
    }
}

/// A running guard. Dropping it closes its socket: with nothing registered it exits.
#[derive(Debug)]
pub struct Guard {
    pub serial: u64,
    pub origin: Origin,
    socket: OwnedFd,
    process: OwnedFd,
}

/// A first process to be cloned.
pub struct SpawnRequest<'a> {
    pub token: u64,
    /// Those of numbers 0, 1, 2, … in their order.
    pub descriptors: &'a [OwnedFd],
    pub namespaces: caisson_plan::Namespaces,
    pub maps_follow: bool,
    /// The version 2 directory to be born in.
    pub cgroup: Option<&'a OwnedFd>,
    pub attached: Option<CleanupTargets>,
}

/// A first process that exists.
#[derive(Debug)]
pub struct Spawned {
    pub pid: i32,
    pub pidfd: OwnedFd,
}

/// Why there is no first process.
#[derive(Debug)]
pub struct Refusal {
    pub error: Error,
    /// There is one, and no descriptor of it: it is to be ended.
    pub pid: Option<i32>,
}

/// A descriptor that was sent to us could not be taken.
pub fn no_room() -> Error {
    Error::new("recvmsg", "a descriptor", errno::EMFILE)
}

impl Spawned {
    /// Kills it. It is our child: the watcher of the pidfd collects it.
    pub fn kill(&self) {
        let _ = pidfd::send_signal(&self.pidfd, 9);
    }
}

impl Guard {
    /// Starts a guard that serves and watches this process.
    pub fn start(program: &Program, serial: u64, origin: Origin) -> Result<Self> {
        let failed = |e: Error| Failure::syscall("spawn", "cannot start the guard", &e);
        let (ours, theirs) = socket::pair().map_err(failed)?;
        let node = pidfd::open(std::process::id().cast_signed()).map_err(failed)?;
        let null = descriptor::null().map_err(failed)?;
        let descriptors = [
            (null.as_fd(), 0),
            (null.as_fd(), 1),
            (null.as_fd(), 2),
            (theirs.as_fd(), fd::CONTROL),
            (node.as_fd(), fd::CALLER),
        ];
        let spawned = program
            .start(|program| {
                spawn(&Spawn {
                    program,
                    arguments: &[c"caisson-init"],
                    environment: &[],
                    descriptors: &descriptors,
                })
            })
            .map_err(|e| denied::clone_failure(&e, false, 0))?;
        Ok(Self { serial, origin, socket: ours, process: spawned.pidfd })
    }

    /// Asks for a first process; [`receive`](Self::receive) has the answer.
    pub fn ask(&self, request: &SpawnRequest<'_>) -> Result<()> {
        let message = GuardRequest::Spawn {
            token: request.token,
            namespaces: request.namespaces,
            maps_follow: request.maps_follow,
            in_cgroup: request.cgroup.is_some(),
            attached: request.attached.clone(),
        };
        let descriptors: Vec<_> = request.descriptors.iter().chain(request.cgroup).collect();
        self.send(&message, &descriptors)
    }

    /// The next answer, with the token of its question; `None`: not yet. An error means that the guard is gone.
    pub fn receive(&self) -> Result<Option<(u64, Result<Spawned, Refusal>)>> {
        let message = match socket::receive(&self.socket, MAX_MESSAGE, false) {
            Err(error) if error.errno() == errno::EAGAIN => return Ok(None),
            other => other.map_err(|e| lost(&e))?.ok_or_else(died)?,
        };
        match protocol::decode(&message.bytes) {
            Ok(GuardReply::Spawned { token, pid }) => {
                let spawned = match message.descriptors.into_iter().next() {
                    Some(pidfd) => Ok(Spawned { pid, pidfd }),
                    None => Err(Refusal { error: no_room(), pid: Some(pid) }),
                };
                Ok(Some((token, spawned)))
            }
            Ok(GuardReply::Refused { token, arguments, errno }) => {
                let error = Error::new("clone3", arguments, errno);
                Ok(Some((token, Err(Refusal { error, pid: None }))))
            }
            Err(_) => Err(died()),
        }
    }

    /// Readable when there is an answer, or when the guard is gone.
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
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
        let _ = pidfd::send_signal(&self.process, 18); // SIGCONT: one that is stopped would never see it
        let _ = pidfd::wait(&self.process, true);
    }
}

pub fn died() -> Failure {
    Failure::new("ERR_SYSCALL", "spawn", "the guard process has ended")
}

fn lost(error: &Error) -> Failure {
    Failure::syscall("spawn", "the guard process is lost", error)
}
