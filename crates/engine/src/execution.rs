//! execve(2) behind a filter: what it failed with, which the helper could not report.

use std::os::fd::OwnedFd;

use caisson_code::Phase;
use caisson_plan::exec_problem;
use caisson_plan::protocol::Execution;
use caisson_sys::{Error, seccomp};

use crate::failure::Failure;

/// What the helper has said before the filter took force.
#[derive(Debug)]
pub struct Executing {
    pub execution: Execution,
    pub page: OwnedFd,
}

impl Executing {
    /// After the end of the helper's socket: the failure, if execve(2) has failed.
    pub fn failure(&self) -> Option<Failure> {
        let errno = match seccomp::failed_with(&self.page) {
            Ok(errno) => errno?,
            Err(error) => {
                return Some(Failure::syscall(Phase::Start, "cannot read the result of execve", &error));
            }
        };
        let Execution { path, arguments } = &self.execution;
        let error = Error::new("execve", arguments, errno).on(path);
        let failure = Failure::syscall(Phase::Start, "process.args", &error);
        Some(match exec_problem(errno, true) {
            Some((code, hint)) => Failure { code, ..failure }.hint(hint),
            None => failure,
        })
    }
}
