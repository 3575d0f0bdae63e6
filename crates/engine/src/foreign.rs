//! Containers of other processes, accessed through their state directory. Each call is one job of the pool and may
//! wait.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use caisson_code::{Code, Phase};
use caisson_plan::protocol::{self, MAX_MESSAGE, Start, StartReply, StartRequest};
use caisson_sys::{errno, poll, socket};

use crate::execution::Executing;
use crate::failure::{Failure, Result};
use crate::leftover;
use crate::lifecycle::{cannot_start, cannot_start_running};
use crate::request::DestroyRequest;
use crate::state::{Kind, START_SOCKET, StateDirectory};
use crate::status::{self, Status};
use crate::task::{agent, hooks};

/// Time limit for a start socket with a full backlog.
const BUSY: Duration = Duration::from_secs(10);

/// Kills the processes if `force` allows it, and removes everything. Returns warnings.
pub fn destroy(request: &DestroyRequest) -> Result<Vec<String>> {
    let directory = StateDirectory::open(&request.root, &request.id)?;
    // One process at a time: a second one must not kill a new container that reuses the id.
    let lock = directory.lock()?;
    // SECURITY: a forced delete does not ask the container: a stopped process may hold its start socket. It does not
    // need a readable state either.
    let state = match directory.read_state() {
        Err(error) if !request.force || error.kind != Kind::Damaged => return Err(error.into()),
        state => state.ok().flatten(),
    };
    if !request.force {
        let now = state.as_ref().map_or(Ok(Status::Creating), |state| status::of(&directory, state))?;
        // Peers delete a created container too, although the specification allows only a stopped one.
        if !matches!(now, Status::Stopped | Status::Created) {
            return Err(not_stopped(&request.id, now));
        }
    }
    let config = match hooks::config_of(&directory) {
        Err(failure) if !request.force => return Err(failure),
        config => config,
    };
    leftover::remove(&directory)?;
    drop(lock); // a hook may take as long as it likes, and may delete or create a container of this id
    Ok(match (config, state) {
        (Ok(Some(config)), Some(state)) => hooks::poststop(&config, &state),
        (Err(failure), _) => vec![format!("poststop hooks were not run: {}", failure.message)],
        _ => Vec::new(),
    })
}

/// COMPAT(runc): its wording.
pub fn not_stopped(id: &str, status: Status) -> Failure {
    let message = format!("cannot delete container {id} that is not stopped: {}", status.name());
    Failure::new(Code::InvalidState, Phase::Delete, message)
}

/// Asks the helper to start the program, and returns when it has, including poststart hooks.
pub fn start(root: &Path, id: &str) -> Result<()> {
    let directory = StateDirectory::open(root, id)?;
    // Read first: without them the program would start without its poststart hooks.
    let state =
        directory.read_state()?.ok_or_else(|| cannot_start(&format!("is {}", Status::Creating.name())))?;
    let config = hooks::config_of(&directory)?;
    let Some(socket) = connect(&directory)? else { return Err(not_created(root, id)) };
    let agent = state.listener_path.as_ref().map(|path| agent::connect(path, None)).transpose()?;
    let request = StartRequest::Start(Start { pid: state.pid.unwrap_or_default() });
    let bytes = protocol::encode(&request).map_err(|e| Failure::internal(Phase::Start, e.to_string()))?;
    socket::send(&socket, &bytes, agent.as_ref().as_slice())
        .map_err(|e| Failure::syscall(Phase::Start, "cannot ask the container to start", &e))?;
    drop(agent);
    let (mut taken, mut executing) = (false, None);
    loop {
        let _ = poll::readable([&socket], None);
        let (reply, page) = match socket::receive(&socket, MAX_MESSAGE, false) {
            Err(error) if error.errno() == errno::EAGAIN => continue,
            Ok(Some(message)) => {
                let invalid = |e| Failure::internal(Phase::Start, format!("the container's answer: {e}"));
                let reply = protocol::decode::<StartReply>(&message.bytes).map_err(invalid)?;
                (Some(reply), message.descriptors.into_iter().next())
            }
            Ok(None) | Err(_) => (None, None),
        };
        match reply {
            Some(StartReply::Starting) => taken = true,
            Some(StartReply::Executing(execution)) => {
                executing = page.map(|page| Executing { execution, page });
            }
            Some(StartReply::Failed(failure)) => return Err(after_failed_hook(root, id, failure.into())),
            None if taken => break,
            None => return Err(not_created(root, id)),
        }
    }
    if let Some(failure) = executing.and_then(|executing| executing.failure()) {
        return Err(failure);
    }
    let Some(config) = config else { return Ok(()) };
    hooks::poststart_of(&config, &state).map_err(|failure| after_failed_hook(root, id, failure))
}

/// runtime-spec, Lifecycle: after a failed hook the container is stopped and deleted.
fn after_failed_hook(root: &Path, id: &str, failure: Failure) -> Failure {
    if failure.code == Code::Hook {
        let _ = destroy(&DestroyRequest { root: root.to_path_buf(), id: id.to_owned(), force: true });
    }
    failure
}

/// `None` if the socket has no listener.
fn connect(directory: &StateDirectory) -> Result<Option<OwnedFd>> {
    let deadline = Instant::now() + BUSY;
    loop {
        match socket::connect(&directory.fd, START_SOCKET) {
            Ok(socket) => return Ok(Some(socket)),
            Err(error) if error.errno() != errno::EAGAIN => return Ok(None),
            Err(error) if Instant::now() >= deadline => {
                return Err(Failure::syscall(
                    Phase::Start,
                    "the container does not take a request to start",
                    &error,
                )
                .hint("its first process may be stopped (SIGSTOP)"));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// COMPAT(runc): its wording for a container that cannot be started.
fn not_created(root: &Path, id: &str) -> Failure {
    match status::status(root, id) {
        Ok(Status::Stopped) => cannot_start("has stopped"),
        Ok(Status::Running | Status::Paused) => cannot_start_running(),
        Ok(state) => cannot_start(&format!("is {}", state.name())),
        Err(failure) => failure,
    }
}
