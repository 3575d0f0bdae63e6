//! The reactor thread: one epoll set for the control sockets, processes and start connections of all containers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use caisson_plan::protocol::{self, Command, MAX_MESSAGE, Report};
use caisson_sys::pidfd::{self, Exit};
use caisson_sys::socket::{self, Message};

use crate::container::{Container, Stage, Starting};
use crate::engine::{Key, Registry, Shared, WAKER};
use crate::failure::{Failure, Result};
use crate::request::{Created, Event, Handle, Reply, Token};
use crate::state::Phase;
use crate::threads::Job;
use crate::{idmap, prepare, start, watch};

pub(crate) fn run(shared: &Arc<Shared>, running: &AtomicBool) {
    while running.load(Ordering::Acquire) {
        let Ok(keys) = shared.poller.wait(None) else { return };
        for key in keys {
            if key == WAKER {
                shared.waker.drain();
                continue;
            }
            match Key::decode(key) {
                Key::Control(handle) => while report(shared, handle) {},
                Key::Process(handle) => exited(shared, handle),
                Key::Start(serial) => start::answered(shared, serial),
            }
        }
    }
}

/// What to do once the registry is unlocked.
enum Then {
    Nothing,
    Answer(Token, Box<Created>),
    Started(Token, Result<Reply>),
    Abandon(Failure),
}

/// Handles one message of a helper; `true` when there may be more.
fn report(shared: &Arc<Shared>, handle: Handle) -> bool {
    let mut registry = shared.registry();
    let Some(container) = registry.containers.get_mut(&handle) else { return false };
    let Some(control) = &container.control else { return false };
    let message = match socket::receive(control, MAX_MESSAGE, false) {
        Err(error) if error.errno() == rustix::io::Errno::AGAIN.raw_os_error() => return false,
        // The end: exec has happened, or the helper died (then its process tells how).
        Ok(None) | Err(_) => {
            let _ = shared.poller.remove(control);
            container.control = None;
            let started = start::own_ended(container);
            drop(registry);
            if let Some((token, result)) = started {
                shared.reply(token, result);
            }
            return false;
        }
        Ok(Some(message)) => message,
    };
    let then = handle_report(shared, container, message).unwrap_or_else(Then::Abandon);
    drop(registry);
    match then {
        Then::Nothing => true,
        Then::Answer(token, created) => {
            shared.reply(token, Ok(Reply::Created(*created)));
            true
        }
        Then::Started(token, result) => {
            shared.reply(token, result);
            true
        }
        Then::Abandon(failure) => {
            shared.post(Job::Abandon(handle, Box::new(failure)), shared);
            false
        }
    }
}

fn handle_report(shared: &Arc<Shared>, container: &mut Container, message: Message) -> Result<Then> {
    let Message { bytes, mut descriptors } = message;
    let malformed = |e: protocol::CodecError| {
        Failure::new("ERR_SYSCALL", "setup", format!("caisson-init sent nonsense: {e}"))
    };
    match protocol::decode::<Report>(&bytes).map_err(malformed)? {
        Report::Replaced { pid } => {
            let fresh = descriptors.pop().ok_or_else(|| {
                Failure::new("ERR_SYSCALL", "setup", "a second clone came without its pidfd")
            })?;
            replace(shared, container, pid, fresh)?;
            Ok(Then::Nothing)
        }
        Report::NamespacesReady => {
            container.stage = Stage::Hooks;
            container.directory.write_state(&container.state)?;
            Ok(answer(container, true))
        }
        Report::Console => {
            let master = descriptors.pop().ok_or_else(|| {
                Failure::new("ERR_SYSCALL", "setup", "the console came without a descriptor")
            })?;
            match &container.console_socket {
                Some(path) => send_console(path, &master)?,
                None => container.console = Some(master),
            }
            Ok(Then::Nothing)
        }
        Report::Warning(text) => {
            container.warnings.push(text);
            Ok(Then::Nothing)
        }
        Report::Created => {
            container.stage = Stage::Created;
            container.state.status = Phase::Ready;
            container.directory.write_state(&container.state)?;
            Ok(answer(container, false))
        }
        Report::Failed(failure) => Ok(Then::Abandon(failure.into())),
        Report::Starting => {
            if let Some(starting) = &mut container.starting {
                starting.taken = true;
            }
            Ok(Then::Nothing)
        }
        Report::StartFailed(failure) => Ok(match container.starting.take() {
            Some(Starting { token, .. }) => Then::Started(token, Err(failure.into())),
            None => Then::Nothing,
        }),
    }
}

fn answer(container: &mut Container, hooks: bool) -> Then {
    let Some(token) = container.token.take() else { return Then::Nothing };
    let mut created = Created {
        handle: container.handle,
        hooks,
        later_hooks: container.later_hooks,
        pid: container.pid,
        start_time: container.start_time,
        ..Created::default()
    };
    if !hooks {
        [created.stdin, created.stdout, created.stderr] = std::mem::take(&mut container.streams);
        created.console = container.console.take();
        created.warnings = std::mem::take(&mut container.warnings);
    }
    Then::Answer(token, Box::new(created))
}

/// The helper cloned itself once more: from now on the container is that process. The first one ends by itself.
fn replace(shared: &Shared, container: &mut Container, pid: i32, fresh: std::os::fd::OwnedFd) -> Result<()> {
    let _ = shared.poller.remove(&*container.pidfd);
    let before = std::mem::replace(&mut container.pidfd, Arc::new(fresh));
    // It exits right after the report; waiting here costs microseconds and leaves no zombie.
    let _ = pidfd::wait(&*before, true);
    container.pid = pid;
    container.start_time = pidfd::state_and_start_time(pid).map_or(0, |(_, time)| time);
    container.state.pid = Some(pid);
    container.state.start_time = Some(container.start_time.to_string());
    shared.watch(&container.pidfd, Key::Process(container.handle))?;
    if let Some(namespace) = &container.user_namespace {
        let facts = shared.facts()?;
        idmap::write(pid, namespace, facts.euid, facts.egid)?;
        if let Some(control) = &container.control {
            prepare::send(control, Command::Proceed, None)?;
        }
    }
    Ok(())
}

/// The engine of a terminal listens on a stream socket: one message with the master, its name as payload.
fn send_console(path: &str, master: &std::os::fd::OwnedFd) -> Result<()> {
    let failed = |e: caisson_sys::Error| {
        Failure::syscall("setup", "cannot send the terminal to the console socket", &e).on(path)
    };
    let socket = socket::connect_stream(path).map_err(failed)?;
    socket::send(&socket, b"/dev/ptmx", &[master]).map_err(failed)
}

/// A process has ended. It is reaped at once, awaited or not: a zombie in a pid namespace keeps its init from finishing.
fn exited(shared: &Arc<Shared>, handle: Handle) {
    // What the helper said last comes before how it ended.
    while report(shared, handle) {}
    let mut registry = shared.registry();
    let Registry { containers, watched, .. } = &mut *registry;
    let Some(container) = containers.get_mut(&handle) else {
        let watched = watched.remove(&handle);
        drop(registry);
        if let Some(watched) = watched {
            watch::ended(shared, handle, watched);
        }
        return;
    };
    let exit = match pidfd::wait(&*container.pidfd, false) {
        Ok(None) => return,
        Ok(Some(exit)) => Some(exit),
        Err(_) => pidfd::exit_of_stranger(&*container.pidfd), // the host reaps for us (SIGCHLD is ignored)
    };
    let _ = shared.poller.remove(&*container.pidfd);
    let stage = std::mem::replace(&mut container.stage, Stage::Ended);
    if container.released && stage == Stage::Created {
        containers.remove(&handle);
        return;
    }
    let oom_killed = exit.is_some_and(|exit| container.oom_killed(exit));
    if stage == Stage::Created {
        drop(registry);
        let (code, signal) = split(exit);
        shared.emit(Event::Exit { handle, code, signal, oom_killed });
        return;
    }
    drop(registry);
    if stage == Stage::Hooks {
        shared.registry().failed_at_hooks.insert(handle, died(exit, oom_killed));
    }
    if stage != Stage::Ended {
        shared.post(Job::Abandon(handle, Box::new(died(exit, oom_killed))), shared);
    }
}

pub(crate) fn split(exit: Option<Exit>) -> (Option<i32>, Option<i32>) {
    match exit {
        Some(Exit::Code(code)) => (Some(code), None),
        Some(Exit::Signal(signal)) => (None, Some(signal)),
        None => (None, None),
    }
}

/// The helper ended without a word.
fn died(exit: Option<Exit>, oom_killed: bool) -> Failure {
    let how = match exit {
        Some(Exit::Code(code)) => format!("exited with code {code}"),
        Some(Exit::Signal(signal)) => format!("was killed by signal {signal}"),
        None => "disappeared".to_owned(),
    };
    if oom_killed {
        return Failure::new("ERR_OOM", "setup", format!("container init {how}: out of memory"))
            .hint("the memory limit is too small even for the container's set-up; allow at least 1 MiB");
    }
    Failure::new("ERR_SYSCALL", "setup", format!("container init {how} before the container was created"))
}
