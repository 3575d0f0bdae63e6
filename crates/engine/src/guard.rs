//! Our side of the guard: a small process with one thread, by which all first processes of containers are cloned, and
//! which outlives Node by the moment it takes to clean up after it.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use caisson_plan::protocol::{self, Belongings, GuardReply, GuardRequest, MAX_MESSAGE, fd};
use caisson_sys::spawn::{Spawn, spawn};
use caisson_sys::{Error, credentials, descriptor, pidfd, poll, socket};

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
    pub origin: Origin,
    socket: OwnedFd,
    process: OwnedFd,
}

/// A first process to be cloned.
pub struct Birth<'a> {
    pub token: u64,
    /// Those of numbers 0, 1, 2, … in their order.
    pub descriptors: &'a [OwnedFd],
    pub namespaces: u64,
    pub maps_follow: bool,
    /// The version 2 directory to be born in.
    pub cgroup: Option<&'a OwnedFd>,
    pub attached: Option<Belongings>,
}

#[derive(Debug)]
pub struct Born {
    pub pid: i32,
    pub pidfd: OwnedFd,
}

impl Born {
    /// Kills and collects it.
    pub fn end(&self) {
        let _ = pidfd::send_signal(&self.pidfd, 9);
        let _ = pidfd::wait(&self.pidfd, true);
    }
}

impl Guard {
    /// Starts a guard that serves and watches this process.
    pub fn start(program: &Program, origin: Origin) -> Result<Self> {
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
        Ok(Self { origin, socket: ours, process: spawned.pidfd })
    }

    /// Asks for a first process; [`born`](Self::born) has the answer.
    pub fn ask(&self, birth: &Birth<'_>) -> Result<()> {
        let request = GuardRequest::Spawn {
            token: birth.token,
            namespaces: birth.namespaces,
            maps_follow: birth.maps_follow,
            in_cgroup: birth.cgroup.is_some(),
            attached: birth.attached.clone(),
        };
        let descriptors: Vec<_> = birth.descriptors.iter().chain(birth.cgroup).collect();
        self.send(&request, &descriptors)
    }

    /// Waits for the answer to the last [`ask`](Self::ask). The inner error is the clone's.
    pub fn born(&self, token: u64) -> Result<Result<Born, Error>> {
        loop {
            match self.answer()? {
                (answered, born) if answered == token => return Ok(born),
                // A question that was given up: its process finds the control socket closed.
                (_, Ok(unwanted)) => unwanted.end(),
                (_, Err(_)) => {}
            }
        }
    }

    fn answer(&self) -> Result<(u64, Result<Born, Error>)> {
        // A guard answers within a millisecond; a minute without an answer means that it is stopped, and waiting longer would not help.
        let [ready] = poll::readable([&self.socket], Some(Duration::from_secs(60))).map_err(|e| lost(&e))?;
        let message = if ready {
            socket::receive(&self.socket, MAX_MESSAGE, false).map_err(|e| lost(&e))?
        } else {
            None
        };
        let silent = || Failure::new("ERR_SYSCALL", "spawn", "the guard process does not answer");
        let message = message.ok_or_else(silent)?;
        match protocol::decode(&message.bytes) {
            Ok(GuardReply::Spawned { token, pid }) => {
                let pidfd = message.descriptors.into_iter().next().ok_or_else(silent)?;
                Ok((token, Ok(Born { pid, pidfd })))
            }
            Ok(GuardReply::Refused { token, arguments, errno }) => {
                Ok((token, Err(Error::new("clone3", arguments, errno))))
            }
            Err(_) => Err(silent()),
        }
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

fn lost(error: &Error) -> Failure {
    Failure::syscall("spawn", "the guard process is lost", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(socket: &OwnedFd, reply: &GuardReply, pidfd: Option<&OwnedFd>) {
        socket::send(socket, &protocol::encode(reply).unwrap(), pidfd.as_slice()).unwrap();
    }

    #[test]
    fn the_answer_to_a_question_that_was_given_up_is_not_taken_for_another() {
        let (socket, theirs) = socket::pair().unwrap();
        let mut unwanted = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = unwanted.id().cast_signed();
        let process = pidfd::open(pid).unwrap();
        let guard = Guard { origin: Origin::now(false), socket, process: process.try_clone().unwrap() };
        answer(&theirs, &GuardReply::Refused { token: 1, arguments: "late".into(), errno: 11 }, None);
        answer(&theirs, &GuardReply::Spawned { token: 2, pid }, Some(&process));
        answer(&theirs, &GuardReply::Refused { token: 3, arguments: "{}".into(), errno: 12 }, None);
        assert_eq!(guard.born(3).unwrap().unwrap_err().errno(), 12);
        assert!(unwanted.wait().is_err(), "it was killed and collected");
    }
}
