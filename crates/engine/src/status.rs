//! Status and signals of any container through its state directory; the status is derived, never stored.

use std::os::fd::OwnedFd;
use std::path::Path;

use caisson_cgroup::Cgroup;
use caisson_code::{Code, Phase};
use caisson_sys::{pidfd, socket};

use crate::failure::{Failure, Result};
use crate::state::{Kind, Progress, START_SOCKET, StateDirectory, StateFile, StateRoot, not_found};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
    /// Its state cannot be read.
    Damaged,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Damaged => "damaged",
        }
    }
}

/// A container as described by its state directory.
#[derive(Debug)]
pub struct ContainerRecord {
    pub id: String,
    pub status: Status,
    /// `None` if nothing was written yet, or the state is damaged.
    pub state: Option<StateFile>,
    /// Why its state cannot be read.
    pub problem: Option<Failure>,
    /// Directory that was created for this container only, known even if the state is damaged.
    pub directory: Option<String>,
}

/// Fails with `ERR_NOT_FOUND`, `ERR_STATE_UNSAFE` or `ERR_INVALID_ID`. A damaged state is part of the result.
pub fn record(root: &Path, id: &str) -> Result<ContainerRecord> {
    record_of(&StateDirectory::open(root, id)?)
}

fn record_of(directory: &StateDirectory) -> Result<ContainerRecord> {
    let id = directory.id().to_owned();
    match directory.read_state() {
        Ok(Some(state)) => {
            let (status, directory) = (of(directory, &state)?, state.directory.clone());
            Ok(ContainerRecord { id, status, state: Some(state), problem: None, directory })
        }
        Ok(None) => {
            Ok(ContainerRecord { id, status: Status::Creating, state: None, problem: None, directory: None })
        }
        Err(error) if matches!(error.kind, Kind::Damaged | Kind::Version) => {
            let cleanup = directory.read_cleanup().ok().flatten();
            let directory = cleanup.and_then(|cleanup| cleanup.directory);
            Ok(ContainerRecord {
                id,
                status: Status::Damaged,
                state: None,
                problem: Some(error.into()),
                directory,
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Every container of a root, sorted by id, including those that cannot be read.
pub fn records(root: &Path) -> Result<Vec<ContainerRecord>> {
    let Some(root) = StateRoot::open(root)? else { return Ok(Vec::new()) };
    let read = |id: &String| match StateDirectory::open_in(&root, id) {
        Err(error) if error.kind == Kind::NotFound => None, // deleted meanwhile, or not a directory
        Err(error) => Some(unreadable(id, error.into())),
        Ok(directory) => match record_of(&directory) {
            Err(failure) if failure.errno.as_deref() == Some("ENOENT") => None,
            Err(failure) => Some(unreadable(id, failure)),
            Ok(record) => Some(record),
        },
    };
    Ok(root.ids()?.iter().filter_map(read).collect())
}

fn unreadable(id: &str, problem: Failure) -> ContainerRecord {
    ContainerRecord {
        id: id.to_owned(),
        status: Status::Damaged,
        state: None,
        problem: Some(problem),
        directory: None,
    }
}

/// The private copy of a container's configuration.
pub fn configuration(root: &Path, id: &str) -> Result<Vec<u8>> {
    Ok(StateDirectory::open(root, id)?.read_config()?)
}

/// Like [`record`], but a damaged state is an error.
pub fn status(root: &Path, id: &str) -> Result<Status> {
    let record = record(root, id)?;
    record.problem.map_or(Ok(record.status), Err)
}

pub(crate) fn of(directory: &StateDirectory, state: &StateFile) -> Result<Status> {
    if state.status == Progress::Creating {
        return Ok(if state.owner_is_alive() { Status::Creating } else { Status::Stopped });
    }
    if process(state)?.is_none() {
        return Ok(Status::Stopped);
    }
    if Cgroup::open(&state.cgroup.mode, &state.cgroup.directories).is_frozen() {
        return Ok(Status::Paused);
    }
    // A connection that closes without a request changes nothing; it only shows whether the helper still listens. A
    // stopped helper listens too, though it does not accept.
    let waits = match socket::connect(&directory.fd, START_SOCKET) {
        Ok(_) => true,
        Err(error) => error.errno() == rustix::io::Errno::AGAIN.raw_os_error(),
    };
    Ok(if waits { Status::Created } else { Status::Running })
}

/// The container's first process, if it is still the same and alive.
pub(crate) fn process(state: &StateFile) -> Result<Option<OwnedFd>> {
    Ok(caisson_state::open_process(&state.into())?)
}

fn is_of_this_boot(state: &StateFile) -> bool {
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    boot_id.trim() == state.boot_id
}

/// Sends `number` to the container's first process, or with `all` to every process of its cgroup. Fails with
/// `ERR_INVALID_STATE` and runc's wording if no process is left.
pub fn signal(root: &Path, id: &str, number: i32, all: bool) -> Result<()> {
    let state = StateDirectory::open(root, id)?.read_state()?.ok_or_else(|| not_found(id))?;
    let cgroup = Cgroup::open(&state.cgroup.mode, &state.cgroup.directories);
    if all {
        return signal_all(&cgroup, number);
    }
    // COMPAT(runc): engines take this wording for "already gone".
    let gone = || Failure::new(Code::InvalidState, Phase::Kill, "container not running");
    let Some(process) = process(&state)? else {
        // In a shared or joined pid namespace, other processes outlive the first one.
        let others = || cgroup.processes().is_ok_and(|processes| !processes.is_empty());
        return if number == 9 && is_of_this_boot(&state) && others() {
            cgroup.kill_all().map_err(crate::cgroups::failure)
        } else {
            Err(gone())
        };
    };
    // Nothing else ends the other processes of a container with a shared pid namespace, and a frozen process dies only
    // when it is thawed.
    let by_cgroup = number == 9 && (!state.pid_namespace || cgroup.is_frozen());
    let killed = by_cgroup && cgroup.kill_all().is_ok();
    match pidfd::send_signal(&process, number) {
        // Killed through the cgroup, and already reaped.
        Err(error) if killed && error.errno() == rustix::io::Errno::SRCH.raw_os_error() => Ok(()),
        Err(error) if error.errno() == rustix::io::Errno::SRCH.raw_os_error() => Err(gone()),
        Err(error) => Err(Failure::syscall(Phase::Kill, "cannot signal the container", &error)),
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
