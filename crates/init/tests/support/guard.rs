//! A guard of a test's own, asked as the addon asks it.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use caisson_plan::Plan;
use caisson_plan::protocol::{
    CleanupTargets, GuardReply, GuardRequest, MAX_MESSAGE, MapsFollow, decode, encode, fd,
};
use caisson_sys::pidfd::Exit;
use caisson_sys::spawn::{Spawn, spawn};
use caisson_sys::{Error, credentials, descriptor, pidfd, poll, socket};

pub struct Guard {
    pub socket: Option<OwnedFd>,
    pub process: OwnedFd,
    pub pid: i32,
}

impl Guard {
    /// Watches `caller`.
    pub fn start(caller: &OwnedFd) -> Self {
        let program = super::program();
        let (socket, theirs) = socket::pair().unwrap();
        let null = descriptor::null().unwrap();
        let spawned = spawn(&Spawn {
            program: program.as_fd(),
            arguments: &[c"caisson-init"],
            environment: &[],
            descriptors: &[
                (null.as_fd(), 0),
                (null.as_fd(), 1),
                (null.as_fd(), 2),
                (theirs.as_fd(), fd::CONTROL),
                (caller.as_fd(), fd::CALLER),
            ],
        })
        .unwrap();
        Self { socket: Some(socket), process: spawned.pidfd, pid: spawned.pid }
    }

    pub fn send(&self, request: &GuardRequest, descriptors: &[&OwnedFd]) {
        socket::send(self.socket.as_ref().unwrap(), &encode(request).unwrap(), descriptors).unwrap();
    }

    /// The pid and pidfd of a first process with these descriptors as 0, 1, 2, ….
    pub fn clone_process(
        &self,
        token: u64,
        plan: &Plan,
        descriptors: &[&OwnedFd],
        attached: Option<CleanupTargets>,
    ) -> caisson_sys::Result<(i32, OwnedFd)> {
        let request = GuardRequest::Spawn {
            token,
            namespaces: plan.clone_flags,
            maps: match plan.user_namespace {
                None => MapsFollow::No,
                Some(_) if credentials::effective_uid() == 0 => MapsFollow::ByRoot,
                Some(_) => MapsFollow::ByOwner,
            },
            asks: plan.asks() && credentials::effective_uid() == 0,
            in_cgroup: false,
            attached,
        };
        self.send(&request, descriptors);
        let reply = socket::receive(self.socket.as_ref().unwrap(), MAX_MESSAGE, true).unwrap().unwrap();
        match decode(&reply.bytes).unwrap() {
            GuardReply::Spawned { pid, token: answered, .. } => {
                assert_eq!(answered, token);
                Ok((pid, reply.descriptors.into_iter().next().unwrap()))
            }
            GuardReply::Refused { arguments, errno, .. } => Err(Error::new("clone3", arguments, errno)),
        }
    }

    pub fn ended(&self) -> Exit {
        assert_eq!(poll::readable([&self.process], Some(Duration::from_secs(30))).unwrap(), [true]);
        pidfd::wait(&self.process, true).unwrap().unwrap()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = pidfd::send_signal(&self.process, 9);
        let _ = pidfd::wait(&self.process, true);
    }
}
