//! The engine's side of the guard: a small single-threaded process that clones the first process of each container, and
//! outlives Node just long enough to clean up after it.

use std::os::fd::{AsFd, OwnedFd};

use caisson_code::Phase;
use caisson_plan::protocol::{self, CleanupTargets, GuardReply, GuardRequest, MAX_MESSAGE, MapsFollow, fd};
use caisson_rights::Rights;
use caisson_sys::spawn::{Spawn, spawn};
use caisson_sys::{Error, credentials, descriptor, errno, pidfd, socket};

use crate::denied;
use crate::failure::{Failure, Result};
use crate::program::Program;

/// Attributes that a container's first process inherits from the process that clones it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    ids: [u32; 6],
    rights: Rights,
    /// The container has cgroups of its own, and its guard leaves the caller's; others stay in the caller's cgroup.
    placed: bool,
}

impl Origin {
    /// The current ids of this process, beside its rights: Node may have changed them.
    pub fn now(rights: Rights, placed: bool) -> Self {
        Self { ids: credentials::all_ids(), rights, placed }
    }
}

/// A running guard. Dropping it closes its socket: without registered containers it exits.
#[derive(Debug)]
pub struct Guard {
    pub serial: u64,
    pub origin: Origin,
    socket: OwnedFd,
    process: OwnedFd,
}

/// A first process to clone.
pub struct SpawnRequest<'a> {
    pub token: u64,
    /// Become descriptors 0, 1, 2, … in this order.
    pub descriptors: &'a [OwnedFd],
    pub namespaces: caisson_plan::Namespaces,
    pub maps: MapsFollow,
    pub asks: bool,
    /// The version 2 cgroup directory to clone into.
    pub cgroup: Option<&'a OwnedFd>,
    pub attached: Option<CleanupTargets>,
}

/// A first process that was cloned.
#[derive(Debug)]
pub struct Spawned {
    pub pid: i32,
    pub pidfd: OwnedFd,
}

/// Why the first process was not cloned.
#[derive(Debug)]
pub struct Refusal {
    pub error: Error,
    /// Set if the process exists but its descriptor does not: it must be killed.
    pub pid: Option<i32>,
}

/// A descriptor that was sent to us could not be received.
pub fn no_room() -> Error {
    Error::new("recvmsg", "a descriptor", errno::EMFILE)
}

impl Spawned {
    /// Kills it. It is our child, and is reaped when its pidfd becomes readable.
    pub fn kill(&self) {
        let _ = pidfd::send_signal(&self.pidfd, 9);
    }
}

impl Guard {
    /// Starts a guard for this process.
    pub fn start(program: &Program, serial: u64, origin: Origin) -> Result<Self> {
        let failed = |e: Error| Failure::syscall(Phase::Spawn, "cannot start the guard", &e);
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
                    arguments: &[protocol::NAME],
                    environment: &[],
                    descriptors: &descriptors,
                })
            })
            .map_err(|e| denied::helper_failure("cannot start the guard", &e))?;
        Ok(Self { serial, origin, socket: ours, process: spawned.pidfd })
    }

    /// Requests a first process; [`receive`](Self::receive) returns the reply.
    pub fn ask(&self, request: &SpawnRequest<'_>) -> Result<()> {
        let message = GuardRequest::Spawn {
            token: request.token,
            namespaces: request.namespaces,
            maps: request.maps,
            asks: request.asks,
            in_cgroup: request.cgroup.is_some(),
            attached: request.attached.clone(),
        };
        let descriptors: Vec<_> = request.descriptors.iter().chain(request.cgroup).collect();
        self.send(&message, &descriptors)
    }

    /// The next reply with the token of its request; `None` if it has not arrived yet. An error means that the guard is
    /// gone.
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

    /// Readable when a reply is available or the guard is gone.
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Unregisters a container that is gone. A guard that is gone too needs no message.
    pub fn forget(&self, token: u64) {
        let _ = self.send(&GuardRequest::Forget { token }, &[]);
    }

    /// Whether the guard still runs; reaps it otherwise.
    pub fn is_alive(&self) -> bool {
        matches!(pidfd::wait(&self.process, false), Ok(None))
    }

    /// Continues a guard that was stopped: it would never take a message, nor see its socket close.
    fn wake(&self) {
        let _ = pidfd::send_signal(&self.process, 18); // SIGCONT
    }

    fn send(&self, request: &GuardRequest, descriptors: &[&OwnedFd]) -> Result<()> {
        let bytes = protocol::encode(request).map_err(|e| Failure::internal(Phase::Spawn, e.to_string()))?;
        self.wake();
        socket::send(&self.socket, &bytes, descriptors).map_err(|e| lost(&e))
    }
}

impl Drop for Guard {
    /// Ends the guard by closing its socket, then reaps it.
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        self.wake();
        let _ = pidfd::wait(&self.process, true);
    }
}

pub fn died() -> Failure {
    Failure::internal(Phase::Spawn, "the guard process has ended")
}

fn lost(error: &Error) -> Failure {
    Failure::syscall(Phase::Spawn, "the guard process is lost", error)
}
