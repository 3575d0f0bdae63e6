//! What only the caller may reach or make: a copy of the guard, which has the caller's rights, does it when asked.

use std::os::fd::{AsFd, OwnedFd};

use caisson_plan::protocol::{HostReply, HostRequest, MAX_MESSAGE, decode, encode};
use caisson_plan::{Device, IdMap, NamespaceKind};
use caisson_sys::socket;

use crate::failure::{Result, SetupError};
use crate::procfs::Procfs;

/// The guard's end of it is `guard/copies.rs`.
#[derive(Debug)]
pub struct Caller {
    socket: OwnedFd,
    /// Ours: a process in a user namespace could not look them up in ours.
    mount: OwnedFd,
    user: OwnedFd,
}

impl Caller {
    /// For a process that is in all of its namespaces. `host` is a procfs that shows this process.
    pub fn new(socket: OwnedFd, host: &Procfs) -> Result<Self> {
        let (mount, user) = (host.namespace(NamespaceKind::Mount)?, host.namespace(NamespaceKind::User)?);
        Ok(Self { socket, mount, user })
    }

    /// Opens host paths, each with whether a link in its last component is followed; those that can be opened.
    pub fn open(&self, paths: Vec<(String, bool)>) -> Result<Vec<(String, OwnedFd)>> {
        let request = HostRequest::Open(paths);
        if !encode(&request).is_ok_and(|bytes| bytes.len() <= MAX_MESSAGE) {
            return Ok(vec![]);
        }
        self.send(&request)?;
        let HostRequest::Open(paths) = request else { return Ok(vec![]) };
        let mut opened = vec![];
        for (path, _) in paths {
            opened.extend(self.receive().ok().map(|fd| (path, fd)));
        }
        Ok(opened)
    }

    /// What is mounted at a host path, as a detached tree on which owners are mapped.
    pub fn map_owners(&self, path: &str, follow: bool, recursive: bool, map: &IdMap) -> Result<OwnedFd> {
        let (path, map) = (path.to_owned(), map.clone());
        self.send(&HostRequest::MapOwners { path, follow, recursive, map })?;
        self.receive()
    }

    /// A device node with these owners outside, as a detached mount.
    pub fn make_node(&self, device: &Device, uid: u32, gid: u32) -> Result<OwnedFd> {
        self.send(&HostRequest::Node { device: device.clone(), uid, gid })?;
        self.receive()
    }

    fn send(&self, request: &HostRequest) -> Result<()> {
        let bytes = encode(request).map_err(|error| SetupError::internal(error.to_string()))?;
        Ok(socket::send(self.socket.as_fd(), &bytes, &[&self.mount, &self.user])?)
    }

    fn receive(&self) -> Result<OwnedFd> {
        let gone = || SetupError::internal("the guard did not answer");
        let message = socket::receive(self.socket.as_fd(), MAX_MESSAGE, true)?.ok_or_else(gone)?;
        match decode(&message.bytes) {
            Ok(HostReply::Done) => message.descriptors.into_iter().next().ok_or_else(gone),
            Ok(HostReply::Failed(failure)) => Err(failure.into()),
            Err(error) => Err(SetupError::internal(error.to_string())),
        }
    }
}
