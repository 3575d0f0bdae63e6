//! Our side of the owner: a helper process that is root of a user namespace with a range of the caller's subordinate ids,
//! and gives files to owners that only exist there.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Mutex;

use caisson_plan::UserNamespace;
use caisson_plan::protocol::{self, MAX_MESSAGE, OwnerReply, OwnerRequest, fd};
use caisson_sys::spawn::{Spawn, spawn};
use caisson_sys::{Error, credentials, descriptor, pidfd, socket};

use crate::denied;
use crate::failure::{Failure, Result};
use crate::idmap;
use crate::program::Program;

/// A running owner. It ends with the value, or with this process.
#[derive(Debug)]
pub struct Owner {
    /// One request at a time.
    socket: Mutex<OwnedFd>,
    process: OwnedFd,
}

impl Owner {
    /// Starts one from the helper at `program` and gives its namespace the maps.
    pub fn start(program: PathBuf, namespace: &UserNamespace) -> Result<Self> {
        let failed = |e: Error| Failure::syscall("unpack", "cannot start the owner of files", &e);
        let (ours, theirs) = socket::pair().map_err(failed)?;
        let null = descriptor::null().map_err(failed)?;
        let descriptors =
            [(null.as_fd(), 0), (null.as_fd(), 1), (null.as_fd(), 2), (theirs.as_fd(), fd::CONTROL)];
        let spawned = Program::new(program)
            .start(|program| {
                spawn(&Spawn {
                    program,
                    arguments: &[c"caisson-init", c"owner"],
                    environment: &[],
                    descriptors: &descriptors,
                })
            })
            .map_err(|e| denied::clone_failure(&e, false, 0))?;
        drop(theirs);
        let owner = Self { socket: Mutex::new(ours), process: spawned.pidfd };
        match owner.receive().map_err(failed)? {
            OwnerReply::Ready => {}
            OwnerReply::Failed { errno, .. } => {
                let denied = Error::new("clone", "CLONE_NEWUSER", errno);
                return Err(denied::clone_failure(&denied, true, credentials::effective_uid()));
            }
            OwnerReply::Done => return Err(lost()),
        }
        let (user, group) = (credentials::effective_uid(), credentials::effective_gid());
        idmap::write(spawned.pid, namespace, user, group)?;
        Ok(owner)
    }

    /// Gives the file behind an O_PATH descriptor to an owner, by its ids in the namespace. `mode` is set again where set-id
    /// bits must stay; `capability` is the value of `security.capability`.
    pub fn give(
        &self,
        file: BorrowedFd<'_>,
        (uid, gid): (u32, u32),
        mode: Option<u32>,
        capability: Option<&[u8]>,
    ) -> Result<(), Error> {
        let request = OwnerRequest { uid, gid, mode, capability: capability.map(<[u8]>::to_vec) };
        let none = |_| Error::new("sendmsg", "a request", caisson_sys::errno::EINVAL);
        let bytes = protocol::encode(&request).map_err(none)?;
        let file = descriptor::duplicate(std::os::fd::AsRawFd::as_raw_fd(&file))?;
        {
            let socket = self.socket.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            socket::send(&*socket, &bytes, &[&file])?;
        }
        match self.receive()? {
            OwnerReply::Failed { call, errno } => {
                let call = ["fchownat", "chmod", "setxattr"].into_iter().find(|known| *known == call);
                Err(Error::new(call.unwrap_or("recvmsg"), descriptor::describe(file.as_fd()), errno))
            }
            OwnerReply::Ready | OwnerReply::Done => Ok(()),
        }
    }

    fn receive(&self) -> Result<OwnerReply, Error> {
        let socket = self.socket.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let gone = || Error::new("recvmsg", "the owner of files is gone", caisson_sys::errno::EPIPE);
        let message = socket::receive(&*socket, MAX_MESSAGE, true)?.ok_or_else(gone)?;
        protocol::decode(&message.bytes).map_err(|_| gone())
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let socket = self.socket.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = rustix::net::shutdown(&*socket, rustix::net::Shutdown::Both);
        let _ = pidfd::wait(&self.process, true);
    }
}

fn lost() -> Failure {
    Failure::new("ERR_SYSCALL", "unpack", "the owner of files answered something else")
}
