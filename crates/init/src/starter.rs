//! The process that asked for a start, and hears how it went. One that has gone away does not stop the start.

use std::os::fd::OwnedFd;

use caisson_plan::protocol::{Execution, Failure, Report, Start, StartReply, encode};
use caisson_sys::socket;

use crate::control::Control;

#[derive(Debug)]
pub struct Starter<'c> {
    pub peer: Peer<'c>,
    pub request: Start,
    /// Gets the listener of the filter.
    pub agent: Option<OwnedFd>,
}

#[derive(Debug)]
pub enum Peer<'c> {
    /// The process that made the container.
    Creator(&'c Control),
    Connection(OwnedFd),
}

impl Starter<'_> {
    pub fn starting(&self) {
        match &self.peer {
            Peer::Creator(control) => drop(control.report(&Report::Starting, None)),
            Peer::Connection(connection) => reply(connection, &StartReply::Starting, None),
        }
    }

    /// `page` tells what execve(2) failed with.
    pub fn executing(&self, execution: Execution, page: &OwnedFd) {
        match &self.peer {
            Peer::Creator(control) => drop(control.report(&Report::Executing(execution), Some(page))),
            Peer::Connection(connection) => reply(connection, &StartReply::Executing(execution), Some(page)),
        }
    }

    pub fn failed(&self, failure: Failure) {
        self.peer.failed(failure);
    }
}

impl Peer<'_> {
    pub fn failed(&self, failure: Failure) {
        match self {
            Self::Creator(control) => control.fail(failure, Report::StartFailed),
            Self::Connection(connection) => reply(connection, &StartReply::Failed(failure), None),
        }
    }
}

fn reply(connection: &OwnedFd, reply: &StartReply, descriptor: Option<&OwnedFd>) {
    if let Ok(bytes) = encode(reply) {
        let _ = socket::send(connection, &bytes, descriptor.as_slice());
    }
}
