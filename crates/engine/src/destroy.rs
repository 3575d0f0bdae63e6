//! The end of a container: processes, cgroups, state directory, in this order.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use caisson_cgroup::Cgroup;
use caisson_sys::{pidfd, poll};

use crate::container::{Container, Stage};
use crate::engine::Shared;
use crate::failure::{Failure, Result};
use crate::request::{DestroyRequest, Event, Handle, Reply, Token};
use crate::state::StateDirectory;
use crate::status::{self, Status};

/// How long a killed process may take. It is uninterruptible work in the kernel that takes so long.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn destroy(shared: &Arc<Shared>, token: Token, request: &DestroyRequest) {
    let result = try_destroy(shared, request);
    shared.reply(token, result.map(|()| Reply::Done));
}

fn try_destroy(shared: &Shared, request: &DestroyRequest) -> Result<()> {
    let directory = StateDirectory::open(&request.root, &request.id)?;
    // One at a time, also among processes: a second one must not kill what got the same id in between.
    let _lock = directory.lock(&request.id)?;
    let own = take_own(shared, &request.root, &request.id, request.force)?;
    if let Some(container) = own {
        return remove_own(shared, container);
    }
    let Some(state) = directory.read_state()? else {
        // Made but never filled: its creator is at work right now, or was killed at once.
        return if request.force {
            directory.remove()
        } else {
            Err(not_stopped(&request.id, Status::Creating))
        };
    };
    let now = status::of(&directory, &state)?;
    // The peers delete a created container too, although the specification allows only a stopped one.
    if !request.force && !matches!(now, Status::Stopped | Status::Created) {
        return Err(not_stopped(&request.id, now));
    }
    let cgroup = Cgroup::open(&state.cgroup.mode, &state.cgroup.directories);
    let _ = cgroup.kill_all();
    if let Some(process) = status::process(&state)? {
        let _ = pidfd::send_signal(&process, 9);
        gone(&process, &request.id)?;
    }
    cgroup.remove().map_err(crate::cgroups::failure)?;
    directory.remove()
}

/// COMPAT(runc): its sentence.
fn not_stopped(id: &str, status: Status) -> Failure {
    Failure::new(
        "ERR_INVALID_STATE",
        "delete",
        format!("cannot delete container {id} that is not stopped: {}", status.name()),
    )
}

/// The container if it is this engine's, out of the registry, killed where `force` allows it.
fn take_own(shared: &Shared, root: &Path, id: &str, force: bool) -> Result<Option<Container>> {
    let mut registry = shared.registry();
    let Some(handle) =
        registry.containers.values().find(|c| c.state.id == id && c.root == root).map(|c| c.handle)
    else {
        return Ok(None);
    };
    let Some(container) = registry.containers.get(&handle) else { return Ok(None) };
    if container.stage != Stage::Ended && !force {
        let now = status::of(&container.directory, &container.state)?;
        if !matches!(now, Status::Created | Status::Stopped) {
            return Err(not_stopped(id, now));
        }
    }
    if container.stage != Stage::Ended {
        container.kill();
        let process = Arc::clone(&container.pidfd);
        drop(registry); // the reactor reaps it and reports its exit meanwhile
        gone(&process, id)?;
        registry = shared.registry();
    }
    let mut taken = registry.containers.remove(&handle);
    drop(registry);
    if let Some(container) = &mut taken {
        answer_waiting(shared, container);
    }
    if let Some(container) = taken.as_ref().filter(|container| container.stage != Stage::Ended) {
        report_exit(shared, container);
    }
    Ok(taken)
}

/// Requests that wait for a container which is no more.
fn answer_waiting(shared: &Shared, container: &mut Container) {
    if let Some(token) = container.token.take() {
        let message = "the container was deleted while it was created";
        shared.reply(token, Err(Failure::new("ERR_INVALID_STATE", "setup", message)));
    }
    if let Some(starting) = container.starting.take() {
        let message = "the container was deleted while it was started";
        shared.reply(starting.token, Err(Failure::new("ERR_INVALID_STATE", "start", message)));
    }
}

/// The reactor had not come to it yet: its exit is collected and reported here.
fn report_exit(shared: &Shared, container: &Container) {
    let _ = shared.poller.remove(&*container.pidfd);
    let exit = pidfd::wait(&*container.pidfd, true).ok().flatten();
    if container.stage == Stage::Created {
        let (code, signal) = crate::reactor::split(exit);
        let oom_killed = exit.is_some_and(|exit| container.oom_killed(exit));
        shared.emit(Event::Exit { handle: container.handle, code, signal, oom_killed });
    }
}

fn remove_own(shared: &Shared, container: Container) -> Result<()> {
    if let Some(control) = &container.control {
        let _ = shared.poller.remove(control);
    }
    if let Some(cgroup) = &container.cgroup {
        if !container.state.pid_namespace {
            let _ = cgroup.kill_all();
        }
        cgroup.remove().map_err(crate::cgroups::failure)?;
    }
    container.directory.remove()?;
    if container.attached {
        container.guard.forget(container.handle);
    }
    Ok(())
}

/// A create failed after the clone: undo all of it, then answer.
pub(crate) fn abandon(shared: &Shared, handle: Handle, failure: Failure) {
    let Some(mut container) = shared.registry().containers.remove(&handle) else { return };
    let token = container.token.take();
    if container.stage != Stage::Ended {
        let _ = shared.poller.remove(&*container.pidfd);
        container.kill();
        let _ = pidfd::wait(&*container.pidfd, true);
    }
    if let Some(cgroup) = &container.cgroup {
        // A helper that failed between two clones may have left a process that we were not told of.
        let _ = cgroup.kill_all();
    }
    let _ = remove_own(shared, container);
    if let Some(token) = token {
        shared.reply(token, Err(failure));
    }
}

/// The environment ends: attached containers do not survive it.
pub(crate) fn all_attached(shared: &Shared) {
    let mut registry = shared.registry();
    let handles: Vec<_> = registry.containers.values().filter(|c| c.attached).map(|c| c.handle).collect();
    let containers: Vec<_> = handles.iter().filter_map(|handle| registry.containers.remove(handle)).collect();
    drop(registry);
    for container in &containers {
        if container.stage != Stage::Ended {
            let _ = shared.poller.remove(&*container.pidfd);
            container.kill();
        }
    }
    for mut container in containers {
        if container.stage != Stage::Ended {
            let _ = pidfd::wait(&*container.pidfd, true);
        }
        answer_waiting(shared, &mut container);
        let _ = remove_own(shared, container);
    }
}

/// Waits until a killed process has ended.
fn gone(process: &OwnedFd, id: &str) -> Result<()> {
    match poll::readable([process], Some(PATIENCE)) {
        Ok([true]) => Ok(()),
        Ok(_) => Err(Failure::new(
            "ERR_TIMEOUT",
            "delete",
            format!("container {id} does not end {PATIENCE:?} after SIGKILL"),
        )
        .hint("its process is stuck in the kernel, often on a network file system; delete it again later")),
        Err(error) => Err(Failure::syscall("delete", "cannot wait for the container's process", &error)),
    }
}
