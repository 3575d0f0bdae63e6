//! The exit of a container that another process created: its pidfd becomes readable for everybody.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use caisson_sys::pidfd::{self, Exit};
use caisson_sys::poll;

use crate::engine::{Key, Shared};
use crate::failure::{Failure, Result};
use crate::reactor::split;
use crate::request::{Event, Handle, Reply, Token};
use crate::state::{StateDirectory, not_found};
use crate::status;

/// A parent that takes longer than this to collect its child most likely never will.
const COLLECTED: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Watched {
    pub pidfd: OwnedFd,
    cgroup: caisson_cgroup::Cgroup,
}

pub(crate) fn watch(shared: &Arc<Shared>, token: Token, root: &Path, id: &str) {
    let result = try_watch(shared, root, id);
    shared.reply(token, result.map(Reply::Watching));
}

/// `ERR_INVALID_STATE`: it has ended already, so nobody can tell how.
fn try_watch(shared: &Arc<Shared>, root: &Path, id: &str) -> Result<Handle> {
    let state = StateDirectory::open(root, id)?.read_state()?.ok_or_else(|| not_found(id))?;
    let cgroup = caisson_cgroup::Cgroup::open(&state.cgroup.mode, &state.cgroup.directories);
    let pidfd = status::process(&state)?
        .ok_or_else(|| Failure::new("ERR_INVALID_STATE", "wait", format!("container not running: {id}")))?;
    let handle = shared.next_serial();
    let mut registry = shared.registry();
    let watched = registry.watched.entry(handle).or_insert(Watched { pidfd, cgroup });
    let outcome = shared.watch(&watched.pidfd, Key::Process(handle));
    if outcome.is_err() {
        registry.watched.remove(&handle);
    }
    outcome.map(|()| handle)
}

/// A watched container has ended. How, the kernel tells others only once its own parent has collected it, which usually
/// follows at once and may never come: so somebody waits for that beside the reactor, for a moment.
pub(crate) fn ended(shared: &Arc<Shared>, handle: Handle, watched: Watched) {
    let _ = shared.poller.remove(&watched.pidfd);
    let known = match pidfd::wait(&watched.pidfd, false) {
        Ok(exit) => exit, // it was handed to us (pid 1, a subreaper)
        Err(_) => pidfd::exit_of_stranger(&watched.pidfd),
    };
    if known.is_some() {
        return report(shared, handle, &watched, known);
    }
    let watched = Arc::new(watched);
    let (patient, later) = (Arc::clone(shared), Arc::clone(&watched));
    let work = move || {
        let _ = poll::hung_up(&later.pidfd, COLLECTED);
        report(&patient, handle, &later, pidfd::exit_of_stranger(&later.pidfd));
    };
    if std::thread::Builder::new().name("caisson-watch".into()).spawn(work).is_err() {
        report(shared, handle, &watched, None);
    }
}

fn report(shared: &Shared, handle: Handle, watched: &Watched, exit: Option<Exit>) {
    let (code, signal) = split(exit);
    let oom_killed = (signal == Some(9) || code == Some(137)) && watched.cgroup.oom_kill_count() > 0;
    shared.emit(Event::Exit { handle, code, signal, oom_killed });
}
