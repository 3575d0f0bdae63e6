//! The failures of transitions.

use std::time::Duration;

use caisson_code::{Code, Phase};
use caisson_sys::pidfd::Exit;

use crate::failure::Failure;

use super::PATIENCE;

/// COMPAT(runc): its wording, as for a running container.
pub fn cannot_start(why: &str) -> Failure {
    Failure::new(Code::InvalidState, Phase::Start, format!("cannot start a container that {why}"))
}

/// COMPAT(runc): its wording.
pub fn cannot_start_running() -> Failure {
    Failure::new(Code::InvalidState, Phase::Start, "cannot start an already running container")
}

pub fn deleted(meanwhile: &str) -> Failure {
    let message = format!("the container was deleted while it was {meanwhile}");
    Failure::new(Code::InvalidState, Phase::Setup, message)
}

pub fn closed() -> Failure {
    Failure::new(Code::InvalidState, Phase::Prepare, "the thread that asked for the container has ended")
}

pub fn does_not_end(id: &str) -> Failure {
    let message = format!("container {id} does not end {PATIENCE:?} after SIGKILL");
    Failure::new(Code::Timeout, Phase::Delete, message)
        .hint("its process is stuck in the kernel, often on a network file system; delete it again later")
}

/// SIGKILL does not end a process in a frozen version 1 cgroup, and only the container's own cgroup is thawed.
pub fn frozen(id: &str, cgroup: &str) -> Failure {
    let message = format!("container {id} does not end: it is frozen by the cgroup {cgroup}");
    Failure::new(Code::InvalidState, Phase::Delete, message)
        .on(cgroup)
        .hint("write THAWED to the freezer.state of that cgroup, then delete the container again")
}

pub fn too_slow(limit: Duration) -> Failure {
    Failure::new(
        Code::Timeout,
        Phase::Setup,
        format!("the container's set-up made no progress for {limit:?}"),
    )
    .hint("its first process may be stopped (SIGSTOP) or wait for a file system that does not answer")
}

/// The helper ended without reporting a failure.
pub fn died(exit: Option<Exit>, oom_killed: bool) -> Failure {
    let how = match exit {
        Some(Exit::Code(code)) => format!("exited with code {code}"),
        Some(Exit::Signal(signal)) => format!("was killed by signal {signal}"),
        None => "disappeared".to_owned(),
    };
    if oom_killed {
        return Failure::new(Code::Oom, Phase::Setup, format!("container init {how}: out of memory"))
            .hint("the memory limit is too small even for the container's set-up; allow at least 1 MiB");
    }
    Failure::internal(Phase::Setup, format!("container init {how} before the container was created"))
}
