//! In a copy of the guard: answers one first process, until it needs nothing any more. COMPAT(runc): host paths are
//! looked up in the container's mount namespace, by a process that has the caller's rights.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use caisson_flags::Namespaces;
use caisson_plan::protocol::{HostReply, HostRequest, MAX_MESSAGE, decode, encode};
use caisson_sys::socket::Message;
use caisson_sys::{credentials, descriptor, namespace, process, socket};

use super::mapped::Pool;
use super::node;
use crate::failure::{Result, SetupError};
use crate::procfs::Procfs;
use crate::sources;

/// Answers requests from `first` to the end of the socket.
pub fn all(socket: BorrowedFd<'_>, first: Message) -> Result<()> {
    credentials::die_with_parent()?;
    let procfs = Procfs::of_the_host()?;
    let received = first.descriptors.iter().map(AsRawFd::as_raw_fd);
    let keep: Vec<_> = received.chain([socket.as_raw_fd(), procfs.root()?.as_raw_fd()]).collect();
    // SECURITY: neither the guard's own socket nor those of other first processes stay open here.
    descriptor::close_all_but(&keep)?;
    process::set_umask(0);
    let mut pool = Pool::new(procfs);
    let mut next = Some(first);
    while let Some(message) = next {
        let (Ok(request), [mount, user]) = (decode(&message.bytes), message.descriptors.as_slice()) else {
            return Ok(());
        };
        namespace::join(mount.as_fd(), Namespaces::MOUNT)?;
        answer(socket, request, user, &mut pool)?;
        next = socket::receive(socket, MAX_MESSAGE, true)?;
    }
    Ok(())
}

fn answer(socket: BorrowedFd<'_>, request: HostRequest, user: &OwnedFd, pool: &mut Pool) -> Result<()> {
    let one = |result: Result<OwnedFd>| {
        let (reply, descriptor) = match result {
            Ok(descriptor) => (HostReply::Done, Some(descriptor)),
            Err(problem) => (HostReply::Failed(problem.into_failure()), None),
        };
        match encode(&reply) {
            Ok(bytes) => Ok(socket::send(socket, &bytes, descriptor.as_ref().as_slice())?),
            Err(error) => Err(SetupError::internal(error.to_string())),
        }
    };
    match request {
        HostRequest::Open(paths) => paths
            .iter()
            .try_for_each(|(path, follow)| one(sources::lookup(path, *follow).map_err(SetupError::from))),
        HostRequest::MapOwners { path, follow, recursive, map } => {
            one(pool.tree(&path, follow, recursive, &map, user.as_fd()))
        }
        HostRequest::Node { device, uid, gid } => one(node::make(&device, uid, gid)),
    }
}
