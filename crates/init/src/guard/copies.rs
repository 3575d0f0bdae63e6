//! Copies of the guard that answer first processes. Root of a new user namespace is another user to the kernel: it may
//! not cross a 0700 home, map the owners of the host's file systems or make device nodes; the caller may.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use caisson_flags::Namespaces;
use caisson_plan::protocol::MAX_MESSAGE;
use caisson_sys::poll::Poller;
use caisson_sys::sibling::clone_child;
use caisson_sys::{Result, pidfd, process, socket};

use super::answer;

/// First key of the poller that is not the guard's own.
const FIRST_KEY: u64 = 16;

/// First processes that may ask, and the copies that answer: a slow file system holds up no other start.
#[derive(Debug, Default)]
pub struct Copies {
    next: u64,
    /// By the key of the socket.
    asking: BTreeMap<u64, OwnedFd>,
    /// By the key of the copy.
    answering: BTreeMap<u64, Answering>,
}

#[derive(Debug)]
struct Answering {
    copy: OwnedFd,
    /// Watched for the end of its peer, by a key of its own.
    socket: OwnedFd,
    ends: u64,
}

impl Copies {
    /// A socket on which requests may come.
    pub fn add(&mut self, poller: &Poller, socket: OwnedFd) -> Result<()> {
        let key = self.key();
        poller.add(&socket, key)?;
        self.asking.insert(key, socket);
        Ok(())
    }

    fn key(&mut self) -> u64 {
        self.next += 1;
        FIRST_KEY + self.next
    }

    /// What the poller says of one of ours: the first request of a process makes the copy for all of them.
    pub fn ready(&mut self, poller: &Poller, key: u64) -> Result<()> {
        if let Some(socket) = self.asking.remove(&key) {
            return self.asked(poller, socket);
        }
        if let Some(Answering { copy, socket, .. }) = self.answering.remove(&key) {
            let _ = poller.remove(&socket); // out already where it ended first
            pidfd::wait(&copy, true)?;
        } else if let Some(answering) = self.answering.values().find(|answering| answering.ends == key) {
            // SECURITY: nothing with the caller's rights outlives the process that it works for. A file system that
            // never answers would hold it.
            let _ = pidfd::send_signal(&answering.copy, 9);
            poller.remove(&answering.socket)?;
        }
        Ok(())
    }

    fn asked(&mut self, poller: &Poller, socket: OwnedFd) -> Result<()> {
        poller.remove(&socket)?;
        // End of file: nothing had to be asked, or the process is gone.
        let Ok(Some(message)) = socket::receive(&socket, MAX_MESSAGE, false) else { return Ok(()) };
        let Some((_, copy)) = clone_child(Namespaces::empty())? else {
            let answered = answer::all(socket.as_fd(), message);
            process::exit(i32::from(answered.is_err()));
        };
        let (key, ends) = (self.key(), self.key());
        poller.add(&copy, key)?;
        poller.add_hang_up(&socket, ends)?;
        self.answering.insert(key, Answering { copy, socket, ends });
        Ok(())
    }
}
