//! Status and signals of any container by its state directory: derived, never stored.

use std::os::fd::OwnedFd;
use std::path::Path;

use caisson_cgroup::Cgroup;
use caisson_sys::{pidfd, socket};

use crate::failure::{Failure, Result};
use crate::state::{Phase, START_SOCKET, StateDirectory, StateFile, not_found};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

/// `ERR_NOT_FOUND`: no such container.
pub fn status(root: &Path, id: &str) -> Result<Status> {
    let directory = StateDirectory::open(root, id)?;
    let Some(state) = directory.read_state()? else { return Ok(Status::Creating) };
    of(&directory, &state)
}

pub(crate) fn of(directory: &StateDirectory, state: &StateFile) -> Result<Status> {
    if state.status == Phase::Creating {
        return Ok(if owner_is_alive(state) { Status::Creating } else { Status::Stopped });
    }
    if process(state)?.is_none() {
        return Ok(Status::Stopped);
    }
    if Cgroup::open(&state.cgroup.mode, &state.cgroup.directories).is_frozen() {
        return Ok(Status::Paused);
    }
    // A connection that closes without a request changes nothing; it only shows whether the helper still listens.
    let waits = socket::connect(&directory.fd, START_SOCKET).is_ok();
    Ok(if waits { Status::Created } else { Status::Running })
}

/// The container's first process, if it is still that process and alive. A recycled pid has another start time, and a
/// pid from before a reboot another boot.
pub(crate) fn process(state: &StateFile) -> Result<Option<OwnedFd>> {
    let (Some(pid), Some(start_time)) = (state.pid, &state.start_time) else { return Ok(None) };
    if !is_of_this_boot(state) {
        return Ok(None);
    }
    let pidfd = match pidfd::open(pid) {
        Ok(pidfd) => pidfd,
        Err(error) if error.errno() == rustix::io::Errno::SRCH.raw_os_error() => return Ok(None),
        Err(error) => {
            return Err(Failure::syscall("resolve", "cannot look at the container's process", &error));
        }
    };
    // Read after the descriptor was opened: what is read now is what the descriptor holds.
    match pidfd::state_and_start_time(pid) {
        Ok((letter, time)) if !matches!(letter, 'Z' | 'X') && time.to_string() == *start_time => {
            Ok(Some(pidfd))
        }
        _ => Ok(None),
    }
}

fn is_of_this_boot(state: &StateFile) -> bool {
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    boot_id.trim() == state.boot_id
}

pub(crate) fn owner_is_alive(state: &StateFile) -> bool {
    pidfd::state_and_start_time(state.owner_pid)
        .is_ok_and(|(letter, time)| letter != 'Z' && time.to_string() == state.owner_start_time)
}

/// Sends `number` to the container's first process, or (`all`) to every process of its cgroup.
/// `ERR_INVALID_STATE` with runc's words where there is nothing left to signal.
pub fn signal(root: &Path, id: &str, number: i32, all: bool) -> Result<()> {
    let state = StateDirectory::open(root, id)?.read_state()?.ok_or_else(|| not_found(id))?;
    let cgroup = Cgroup::open(&state.cgroup.mode, &state.cgroup.directories);
    if all {
        return signal_all(&cgroup, number);
    }
    // COMPAT(runc): engines read this sentence as "it is gone already".
    let gone = || Failure::new("ERR_INVALID_STATE", "kill", "container not running");
    let Some(process) = process(&state)? else {
        // Without a pid namespace of its own, or joined from elsewhere, others outlive the first one.
        let others = || cgroup.processes().is_ok_and(|processes| !processes.is_empty());
        return if number == 9 && is_of_this_boot(&state) && others() {
            cgroup.kill_all().map_err(crate::cgroups::failure)
        } else {
            Err(gone())
        };
    };
    // Nobody else ends the other processes of a container that shares its pid namespace; and what is frozen dies only
    // when it is thawed.
    let by_cgroup = number == 9 && (!state.pid_namespace || cgroup.is_frozen());
    let killed = by_cgroup && cgroup.kill_all().is_ok();
    match pidfd::send_signal(&process, number) {
        // Of that, and collected already.
        Err(error) if killed && error.errno() == rustix::io::Errno::SRCH.raw_os_error() => Ok(()),
        Err(error) if error.errno() == rustix::io::Errno::SRCH.raw_os_error() => Err(gone()),
        Err(error) => Err(Failure::syscall("kill", "cannot signal the container", &error)),
        Ok(()) => Ok(()),
    }
}

fn signal_all(cgroup: &Cgroup, number: i32) -> Result<()> {
    if number == 9 {
        return cgroup.kill_all().map_err(crate::cgroups::failure);
    }
    for pid in cgroup.processes().map_err(crate::cgroups::failure)? {
        if let Ok(process) = pidfd::open(pid) {
            let _ = pidfd::send_signal(&process, number);
        }
    }
    Ok(())
}
