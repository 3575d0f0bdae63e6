//! Sends the listener of a filter to the agent that answers the calls. A thread does it that the filter does not bind,
//! so that a profile may notify, or deny, the very calls that send it; execve(2) ends the thread.

use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use caisson_code::{Code, Phase};
use caisson_sys::process;
use caisson_sys::seccomp::Handover;
use caisson_sys::{Error, Result, errno, socket};

use crate::failure::SetupError;
use crate::starter::Starter;

/// One listener on its way.
pub struct Courier<'a> {
    /// Connected.
    pub agent: &'a OwnedFd,
    /// Container process state, JSON.
    pub message: String,
    pub starter: &'a Starter<'a>,
}

impl Courier<'_> {
    /// Calls `execute` on this thread, which loads the filter, while another one waits for the listener. Comes back
    /// with what kept the filter from being loaded.
    pub fn accompany(self, execute: impl FnOnce(&Handover) -> Error) -> SetupError {
        /// Of the second thread: it sends one message.
        const STACK: usize = 128 * 1024;
        let handover = Handover::default();
        thread::scope(|scope| {
            let carry = || self.carry(&handover);
            let courier = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, carry);
            let problem = match courier {
                Ok(_) => SetupError::from(execute(&handover)),
                Err(error) => {
                    let errno = error.raw_os_error().unwrap_or(errno::EAGAIN);
                    let hint = "a second thread sends the listener: the limit on processes allows only one";
                    SetupError::from(Error::new("clone3", "CLONE_THREAD", errno)).hint(hint)
                }
            };
            handover.give_up();
            problem
        })
    }

    /// Ends with the process, unless no filter was loaded.
    fn carry(self, handover: &Handover) {
        let listener = loop {
            if let Some(listener) = handover.listener() {
                break listener;
            }
            if handover.is_over() {
                return;
            }
            thread::yield_now(); // the other thread is in seccomp(2)
        };
        let sent = listener.try_clone_to_owned().map_err(|error| Error::from_io("dup", "listener", &error));
        let sent = sent.and_then(|listener| self.send(&listener));
        if let Err(error) = sent {
            let problem = SetupError::from(error).about("seccomp: the agent does not take the listener");
            self.starter.failed(problem.code(Code::Syscall).phase(Phase::Start).into_failure());
            process::exit(1);
        }
        // The agent may read up to the end before it answers the first call, which may be execve.
        socket::end(self.agent);
        handover.sent();
        while !handover.is_over() {
            thread::sleep(Duration::from_millis(1));
        }
        process::exit(1)
    }

    fn send(&self, listener: &OwnedFd) -> Result<()> {
        socket::send(self.agent, self.message.as_bytes(), &[listener])
    }
}
