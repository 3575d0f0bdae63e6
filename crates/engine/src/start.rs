//! start: a word on the control socket of a container of our own, or a connection to the helper's socket, and what
//! follows from the end of file.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caisson_plan::protocol::{self, Command, MAX_MESSAGE, StartReply, StartRequest};
use caisson_sys::socket;

use crate::container::{Container, Stage, Starting};
use crate::engine::{Key, Shared};
use crate::failure::{Failure, Result};
use crate::prepare;
use crate::request::{Reply, Token};
use crate::state::{START_SOCKET, StateDirectory};
use crate::status::{Status, status};

/// A start that is under way.
#[derive(Debug)]
pub struct StartConnection {
    token: Token,
    id: String,
    directory: StateDirectory,
    socket: OwnedFd,
    /// The helper has taken the request: its end of file is success from now on.
    starting: bool,
}

/// Asks on the control socket, on the caller's own thread: it takes no longer than to hand the job to another. `false`
/// where the container is not ours, or not waiting.
pub(crate) fn start_own(shared: &Shared, token: Token, root: &Path, id: &str) -> bool {
    let mut registry = shared.registry();
    let container = registry.containers.values_mut().find(|c| c.state.id == id && c.root == root);
    let Some(container) = container.filter(|c| c.stage == Stage::Created && c.starting.is_none()) else {
        return false;
    };
    let Some(control) = &container.control else { return false };
    if prepare::send(control, Command::Start, None).is_err() {
        return false;
    }
    container.starting = Some(Starting { token, taken: false });
    true
}

/// The control socket has ended while a start was under way: exec has happened, or the helper is gone.
pub(crate) fn own_ended(container: &mut Container) -> Option<(Token, Result<Reply>)> {
    let Starting { token, taken } = container.starting.take()?;
    if !taken {
        return Some((token, Err(not_created(&container.root, &container.state.id))));
    }
    container.directory.remove_start_socket();
    Some((token, Ok(Reply::Done)))
}

pub(crate) fn start(shared: &Arc<Shared>, token: Token, root: &Path, id: &str) {
    if let Err(failure) = try_start(shared, token, root, id) {
        shared.reply(token, Err(failure));
    }
}

fn try_start(shared: &Arc<Shared>, token: Token, root: &Path, id: &str) -> Result<()> {
    let directory = StateDirectory::open(root, id)?;
    let socket = socket::connect(&directory.fd, START_SOCKET).map_err(|_| not_created(root, id))?;
    let bytes = protocol::encode(&StartRequest::Start)
        .map_err(|e| Failure::new("ERR_SYSCALL", "start", e.to_string()))?;
    socket::send(&socket, &bytes, &[])
        .map_err(|e| Failure::syscall("start", "cannot ask the container to start", &e))?;
    let serial = shared.next_serial();
    let connection = StartConnection { token, id: id.to_owned(), directory, socket, starting: false };
    let mut registry = shared.registry();
    let connection = registry.starts.entry(serial).or_insert(connection);
    let watched = shared.watch(&connection.socket, Key::Start(serial));
    if watched.is_err() {
        registry.starts.remove(&serial);
    }
    watched
}

/// COMPAT(runc): its sentences for a container that cannot be started.
fn not_created(root: &Path, id: &str) -> Failure {
    let message = match status(root, id) {
        Ok(Status::Stopped) => "cannot start a container that has stopped".to_owned(),
        Ok(Status::Running | Status::Paused) => "cannot start an already running container".to_owned(),
        Ok(state) => format!("cannot start a container in the {} state", state.name()),
        Err(failure) => return failure,
    };
    Failure::new("ERR_INVALID_STATE", "start", message)
}

/// The helper has said something on a start connection.
pub(crate) fn answered(shared: &Arc<Shared>, serial: u64) {
    let mut registry = shared.registry();
    let Some(connection) = registry.starts.get_mut(&serial) else { return };
    let reply = match socket::receive(&connection.socket, MAX_MESSAGE, false) {
        Err(error) if error.errno() == rustix::io::Errno::AGAIN.raw_os_error() => return,
        Ok(Some(message)) => protocol::decode::<StartReply>(&message.bytes).ok(),
        Ok(None) | Err(_) => None,
    };
    if reply == Some(StartReply::Starting) {
        connection.starting = true;
        return;
    }
    let _ = shared.poller.remove(&connection.socket);
    let Some(connection) = registry.starts.remove(&serial) else { return };
    drop(registry);
    let result = match reply {
        Some(StartReply::Failed(failure)) => Err(failure.into()),
        _ if connection.starting => {
            connection.directory.remove_start_socket();
            Ok(Reply::Done)
        }
        _ => {
            let root = connection.directory.path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
            Err(not_created(&root, &connection.id))
        }
    };
    shared.reply(connection.token, result);
}
