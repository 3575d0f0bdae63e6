//! The engine's side of the owner: a helper process that is root in a user namespace with a range of the caller's
//! subordinate ids. It changes owners of files to ids that exist only there, and opens files of those ids.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use caisson_code::Phase;
use caisson_plan::UserNamespace;
use caisson_plan::protocol::{self, MAX_OWNER_REPLY, Opening, OwnerReply, OwnerRequest, fd};
use caisson_sys::spawn::{Spawn, spawn};
use caisson_sys::{Error, descriptor, pidfd, socket};

use crate::denied;
use crate::facts;
use crate::failure::{Failure, Result};
use crate::idmap;
use crate::program::Program;

/// A running owner process. It ends when this is dropped, or with this process.
#[derive(Debug)]
pub struct Owner {
    /// One request at a time.
    socket: Mutex<OwnedFd>,
    process: OwnedFd,
}

impl Owner {
    /// Starts the helper at `program` as owner and writes the maps of its namespace.
    pub fn start(program: PathBuf, namespace: &UserNamespace) -> Result<Self> {
        let failed = |e: Error| Failure::syscall(Phase::Unpack, "cannot start the owner of files", &e);
        let rights = facts::rights()?;
        let (ours, theirs) = socket::pair().map_err(failed)?;
        let null = descriptor::null().map_err(failed)?;
        let descriptors =
            [(null.as_fd(), 0), (null.as_fd(), 1), (null.as_fd(), 2), (theirs.as_fd(), fd::CONTROL)];
        let spawned = Program::new(program)
            .start(|program| {
                spawn(&Spawn {
                    program,
                    arguments: &[protocol::NAME, protocol::OWNER],
                    environment: &[],
                    descriptors: &descriptors,
                })
            })
            .map_err(|e| denied::helper_failure("cannot start the owner of files", &e))?;
        drop(theirs);
        let owner = Self { socket: Mutex::new(ours), process: spawned.pidfd };
        match receive(&owner.socket()).map_err(failed)?.0 {
            OwnerReply::Ready => {}
            OwnerReply::Failed { errno, .. } => {
                let denied = Error::new("clone", "CLONE_NEWUSER", errno);
                return Err(denied::clone_failure(&denied, true, &rights));
            }
            OwnerReply::Done | OwnerReply::Opened | OwnerReply::Value(_) => return Err(lost()),
        }
        idmap::write(spawned.pid, namespace, &rights)?;
        Ok(owner)
    }

    /// Sets the owner of the file behind an O_PATH descriptor; ids are those in the namespace. `mode` is set again to
    /// keep set-id bits; `capability` is the value of `security.capability`.
    pub fn give(
        &self,
        file: BorrowedFd<'_>,
        (uid, gid): (u32, u32),
        mode: Option<u32>,
        capability: Option<&[u8]>,
    ) -> Result<(), Error> {
        let request = OwnerRequest::Give { uid, gid, mode, capability: capability.map(<[u8]>::to_vec) };
        self.ask(&request, file).map(drop)
    }

    /// Opens `path` below `directory` with the privileges of the namespace's root, without following links.
    pub fn open(&self, directory: BorrowedFd<'_>, path: &[u8], opening: Opening) -> Result<OwnedFd, Error> {
        match self.ask(&OwnerRequest::Open { path: path.to_vec(), opening }, directory)? {
            (OwnerReply::Opened, Some(opened)) => Ok(opened),
            _ => Err(gone()),
        }
    }

    /// The value of an extended attribute of the file behind an O_PATH descriptor.
    pub fn attribute(&self, file: BorrowedFd<'_>, name: &[u8]) -> Result<Vec<u8>, Error> {
        match self.ask(&OwnerRequest::Attribute { name: name.to_vec() }, file)? {
            (OwnerReply::Value(value), _) => Ok(value),
            _ => Err(gone()),
        }
    }

    fn ask(
        &self,
        request: &OwnerRequest,
        file: BorrowedFd<'_>,
    ) -> Result<(OwnerReply, Option<OwnedFd>), Error> {
        let none = |_| Error::new("sendmsg", "a request", caisson_sys::errno::EINVAL);
        let bytes = protocol::encode(request).map_err(none)?;
        let file = descriptor::duplicate(file.as_raw_fd())?;
        let socket = self.socket();
        socket::send(&*socket, &bytes, &[&file])?;
        match receive(&socket)? {
            (OwnerReply::Failed { call, errno }, _) => {
                let call = CALLS.into_iter().find(|known| *known == call);
                Err(Error::new(call.unwrap_or("recvmsg"), descriptor::describe(file.as_fd()), errno))
            }
            other => Ok(other),
        }
    }

    fn socket(&self) -> MutexGuard<'_, OwnedFd> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The system calls that may fail there.
const CALLS: [&str; 5] = ["fchownat", "chmod", "setxattr", "openat2", "getxattr"];

fn receive(socket: &OwnedFd) -> Result<(OwnerReply, Option<OwnedFd>), Error> {
    let message = socket::receive(socket, MAX_OWNER_REPLY, true)?.ok_or_else(gone)?;
    let reply = protocol::decode(&message.bytes).map_err(|_| gone())?;
    Ok((reply, message.descriptors.into_iter().next()))
}

fn gone() -> Error {
    Error::new("recvmsg", "the owner of files is gone", caisson_sys::errno::EPIPE)
}

impl Drop for Owner {
    fn drop(&mut self) {
        let socket = self.socket();
        let _ = rustix::net::shutdown(&*socket, rustix::net::Shutdown::Both);
        drop(socket);
        let _ = pidfd::wait(&self.process, true);
    }
}

fn lost() -> Failure {
    Failure::internal(Phase::Unpack, "the owner of files answered something else")
}
