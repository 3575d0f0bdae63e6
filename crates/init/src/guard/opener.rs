//! Opens host paths for a process in a new user namespace. Its root is another user to the kernel, who may not cross
//! a 0700 home; the caller, root of the host, may. COMPAT(runc): the paths are opened in the container's mount
//! namespace, by a process that has the caller's rights.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use caisson_flags::Namespaces;
use caisson_plan::protocol::{MAX_MESSAGE, OpenReply, OpenRequest, decode, encode};
use caisson_sys::poll::Poller;
use caisson_sys::sibling::clone_child;
use caisson_sys::{Result, credentials, namespace, pidfd, process, socket};

use crate::sources;

/// First key of the poller that is not the guard's own.
const FIRST_KEY: u64 = 16;

/// First processes that may ask, and copies of the guard that answer: a slow file system holds up no other start.
#[derive(Debug, Default)]
pub struct Openers {
    next: u64,
    asking: BTreeMap<u64, OwnedFd>,
    answering: BTreeMap<u64, OwnedFd>,
}

impl Openers {
    /// A socket on which at most one request comes.
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

    /// What the poller says of one of ours.
    pub fn ready(&mut self, poller: &Poller, key: u64) -> Result<()> {
        if let Some(socket) = self.asking.remove(&key) {
            // End of file: everything could be opened, or the process is gone.
            let Ok(Some(message)) = socket::receive(&socket, MAX_MESSAGE, false) else { return Ok(()) };
            let Some(copy) = clone_child()? else {
                let answered = answer(&socket, message);
                process::exit(i32::from(answered.is_err()));
            };
            let key = self.key();
            poller.add(&copy, key)?;
            self.answering.insert(key, copy);
        } else if let Some(copy) = self.answering.remove(&key) {
            pidfd::wait(&copy, true)?;
        }
        Ok(())
    }
}

/// In the copy: one answer for each path, in their order.
fn answer(socket: &OwnedFd, message: socket::Message) -> Result<()> {
    credentials::die_with_parent()?;
    let (Ok(OpenRequest(paths)), [process]) = (decode(&message.bytes), message.descriptors.as_slice()) else {
        return Ok(());
    };
    namespace::join(process.as_fd(), Namespaces::MOUNT)?;
    for (path, follow) in paths {
        let (errno, opened) = match sources::lookup(&path, follow) {
            Ok(opened) => (0, Some(opened)),
            Err(error) => (error.errno(), None),
        };
        if let Ok(bytes) = encode(&OpenReply { errno }) {
            socket::send(socket, &bytes, opened.as_ref().as_slice())?;
        }
    }
    Ok(())
}
