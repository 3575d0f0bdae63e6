//! The exit of a container that another process created: its pidfd becomes readable for everybody.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use caisson_sys::pidfd;

use crate::engine::{Key, Shared};
use crate::failure::{Failure, Result};
use crate::reactor::split;
use crate::request::{Event, Handle, Reply, Token};
use crate::state::{StateDirectory, not_found};
use crate::status;

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
    let pidfd = status::process(&state)?.ok_or_else(|| Failure::new("ERR_INVALID_STATE", "wait", format!("container not running: {id}")))?;
    let handle = shared.next_serial();
    let mut registry = shared.registry();
    let watched = registry.watched.entry(handle).or_insert(Watched { pidfd, cgroup });
    let outcome = shared.watch(&watched.pidfd, Key::Process(handle));
    if outcome.is_err() {
        registry.watched.remove(&handle);
    }
    outcome.map(|()| handle)
}

pub(crate) fn ended(shared: &Shared, handle: Handle, watched: &Watched) -> Event {
    let _ = shared.poller.remove(&watched.pidfd);
    let (code, signal) = split(pidfd::exit_of_stranger(&watched.pidfd));
    let oom_killed = (signal == Some(9) || code == Some(137)) && watched.cgroup.oom_kill_count() > 0;
    Event::Exit { handle, code, signal, oom_killed }
}
